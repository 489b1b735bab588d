"""The operator's plan: versioned, with an end, checked before it holds, and written down."""
