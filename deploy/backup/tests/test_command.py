"""The command as an operator or a cron job runs it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "intervai_backup", *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_command_backs_up_verifies_restores_and_shows_a_table(source: Any, make_target: Any, folder: Path) -> None:
    def of(target: Any) -> dict[str, str]:
        url = target.settings.redis_url.get_secret_value()
        return {
            "MONGO_DATABASE_PREFIX": target.settings.mongo_database_prefix, "S3_BUCKET": target.bucket, "REDIS_URL": url
        }  # fmt: skip

    source["qa"].sessions.insert_many([{} for _ in range(234)])
    code, said = run("backup", str(folder), **of(source))
    assert code == 0, said
    assert "234" in said
    assert "backup written to" in said
    target = make_target()
    code, said = run("restore", str(folder), **of(target))
    assert code == 0, said
    assert target.everything() == source.everything()
    code, said = run("restore", str(folder), **of(target))
    assert (code, said.splitlines()[-1][:44]) == (1, "restore failed: there is data already (bk_" + target.bucket[3:5])


def test_what_goes_wrong_is_one_line_without_secrets(folder: Path) -> None:
    code, said = run("verify", str(folder))
    assert (code, said.count("\n")) == (1, 1)
    assert f"{folder} is no backup" in said
    code, said = run("backup", str(folder), MONGO_URI="", S3_BUCKET="")
    assert code == 1
    assert said.startswith("backup failed: wrong settings: MONGO_URI: Field required; S3_BUCKET")
    code, said = run("backup", str(folder), MONGO_DATABASE_PREFIX="none_")
    assert (code, said) == (1, "backup failed: there is no database none_user, or nothing in it\n")
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    code, said = run("backup", str(folder), S3_BUCKET="there-is-none")
    assert code == 1
    assert said.splitlines()[-1].startswith("backup failed: An error occurred (NoSuchBucket)")
    assert secret not in said
    assert not folder.exists()
