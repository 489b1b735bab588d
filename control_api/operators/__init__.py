"""What operators see beyond one account: sessions by id, recordings that are due or new."""
