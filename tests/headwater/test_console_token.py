"""`headwater console token` signs what the control API of the same folder takes."""

from pathlib import Path

from typer.testing import CliRunner

from control_api import keys
from control_api.issuer import Issuer
from control_api.settings import Settings
from control_api.times import now_ms
from headwater.console.cli import READER_SCOPES, SCOPES, app


def test_tokens_carry_the_role_that_was_asked_for(tmp_path: Path) -> None:
    settings = Settings()
    for arguments, scopes in (([], SCOPES), (["--read-only"], READER_SCOPES)):
        ran = CliRunner().invoke(
            app, ["token", "--data", str(tmp_path), "--name", "ada", *arguments]
        )
        assert ran.exit_code == 0, ran.output
        material = keys.load_or_create(tmp_path / "control/issuer-keys.json", keys.issuer_keys)
        issuer = Issuer(
            material, name=settings.public_url, audience=settings.audience, life_s=1, leeway_s=0
        )
        caller = issuer.verify(ran.output.strip(), now_ms() // 1_000 + 1)
        assert (caller.account_id, caller.scopes) == ("ada", frozenset(scopes))
