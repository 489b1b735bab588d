"""The catalogue: what there is to watch, from draft to archive (control-api sections 2 and 3).

workflow      the states of an entry and the moves between them
types         what travels
identifiers   EIDR and CRID
tables        SQL beside `control_api.schema`
documents     an entry as one document, to and from its rows
editor        create, patch, move, delete, with versions and audit
imports       many entries at once, with a report per row
shown         what anybody may see, by territory and platform
rails         popular, new, by genre, related
"""
