"""Personal data: which column is treated how, the key of the hashes, and a change of policy carried out."""
