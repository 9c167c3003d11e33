"""Types of the register: policy as typed TOML. Unknown keys are refused; an error names file, key and value.

One module a file of the register: suppliers, libraries, matching, levels, guards, catalogue. Nothing here reads a
file; `config/reading.py` does.
"""
