"""Plans: what a run means to change, its hash, the guards over it, and a person's decision. One mechanism for all
flows (docs/plans.md)."""
