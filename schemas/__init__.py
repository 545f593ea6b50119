"""The contracts: what stands on each topic. The pydantic models are the source; JSON Schema is generated from them."""

VERSION = "1.0"
"""Version of the contracts, in each schema's id and so in `ce_dataschema`: additions raise the second number."""
