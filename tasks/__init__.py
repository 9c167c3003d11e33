"""What flows are made of: one package an area, mostly pure modules beside one `stages.py` of Prefect tasks.

Areas, lower ones know nothing of higher ones: warehouse < plans; marc, landing < matching < catalogue < notices,
quality. Pure modules get policy and connections as arguments; only `stages.py` and `tasks/stage.py` know Prefect
and the settings.
"""
