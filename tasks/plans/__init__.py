"""Plans: computed first, hashed, guarded, approved by hash, carried out, reverted. One mechanism for all flows."""
