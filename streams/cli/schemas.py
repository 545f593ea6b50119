"""`lotrisk schemas`: generate the JSON Schemas of the contracts, check and release them."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Contracts: generate and check their JSON Schemas.", no_args_is_help=True)
    app.add_typer(group, name="schemas")

    @group.command()
    def generate() -> None:
        """Write schemas/json/*.schema.json from the models."""
        from schemas.generation import CONTRACTS, write_schemas

        changed = write_schemas()
        for path in changed:
            typer.echo(f"written {path.name}")
        typer.echo(f"{len(CONTRACTS)} contracts, {len(changed)} files changed")

    @group.command()
    def check() -> None:
        """Check that the committed schemas are those of the models and break nobody since the last release."""
        from schemas.generation import CONTRACTS, incompatible, last_release, stale_schemas, unversioned

        problems = [f"{said}; run `lotrisk schemas generate`" for said in stale_schemas()]
        direction = {contract.name: contract.direction for contract in CONTRACTS}
        problems += [
            f"{name} ({direction[name]}): {change}" for name, changes in incompatible().items() for change in changes
        ]
        problems += unversioned()
        if problems:
            for problem in problems:
                typer.echo(problem, err=True)
            raise typer.Exit(1)
        typer.echo(f"{len(CONTRACTS)} contracts are current and compatible with release {last_release() or '(none)'}")

    @group.command()
    def release() -> None:
        """Freeze the schemas in schemas/released under the contracts' version."""
        from schemas.generation import release

        try:
            made = release()
        except ValueError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        typer.echo(f"released {made.name}")
