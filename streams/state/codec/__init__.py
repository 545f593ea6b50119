"""How the state is written down."""
