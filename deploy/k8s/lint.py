"""Renders every overlay and checks it, offline: schemas, policies, references, settings, sizes.

.venv/bin/python deploy/k8s/lint.py             prints one line a finding, exits 1 if there is one
.venv/bin/python deploy/k8s/lint.py --write     writes scaling/redis*/autoscalers.yaml anew, then checks
.venv/bin/python deploy/k8s/lint.py --render F  prints the objects of the folder F as YAML
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from k8s_lint import gateway, kustomize, pods, scalers, schemas, settings, sizes, wiring

HERE = Path(__file__).parent
#: Regions are of the largest tier.
OVERLAYS = {f"tier-{number}": f"tier-{number}" for number in range(1, 5)} | {
    "region-eu": "tier-4",
    "region-us": "tier-4",
}


def findings(overlay: str) -> Iterator[str]:
    """What is wrong with it."""
    objects = kustomize.build(HERE / "overlays" / overlay)
    yield from schemas.findings(objects)
    for check in (pods, wiring, settings, gateway):
        yield from check.findings(objects)
    yield from sizes.findings(objects, OVERLAYS[overlay])


def main() -> None:
    if "--render" in sys.argv:
        sys.stdout.write(kustomize.dump(kustomize.build(Path(sys.argv[-1]))))
        return
    if "--write" in sys.argv:
        scalers.write()
    found = [f"{overlay}: {finding}" for overlay in OVERLAYS for finding in findings(overlay)]
    found += scalers.stale()
    if {folder.name for folder in (HERE / "overlays").iterdir()} != OVERLAYS.keys():
        found.append("overlays: a folder that nothing checks, or one is missing")
    sys.exit("\n".join(f"deploy/k8s: {finding}" for finding in found) or None)


if __name__ == "__main__":
    main()
