"""The pure core: a record and a context in, an enriched record or a rejection out. No I/O, no clock."""
