"""What every service stands on, one noun a file.

Bootstrap: `settings` and `sections`, `logs`, `metrics`, `trace`, `service` and `web`. Clients, each
with an embedded default and a production twin behind one interface (CMP-1): `sql`, `store`,
`objects`. Resilience: `flight`, `breaker`, `fetch`, `clock`. Rooms import the modules (`from
runtime import service`); no room imports a driver.
"""
