"""What every service stands on: settings, logs, metrics, HTTP bootstrap, store clients, resilience."""
