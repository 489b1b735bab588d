"""Works that outlast a request: what they are, how far they came, and the word that ends one."""
