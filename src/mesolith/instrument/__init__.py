"""One model of beam, goniometer and detector for HEDM, Laue and powder."""
