"""The contracts: what stands on each topic. The pydantic models are the source; JSON Schema is generated from them."""
