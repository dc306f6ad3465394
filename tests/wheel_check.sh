#!/bin/sh
# Builds the wheel, installs it into an empty environment outside the repository, and uses it there: what is missing
# from the wheel (a package, the data, the command) is missing here too. PYTHON needs the package `build`.
set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m build --wheel --outdir "$folder/dist" "$repository" >"$folder/build.log" 2>&1 || { cat "$folder/build.log"; exit 1; }
"${PYTHON:-python3}" -m venv "$folder/venv"
PIP_DISABLE_PIP_VERSION_CHECK=1 "$folder/venv/bin/pip" install -qq "$folder"/dist/minigen-*.whl

cd "$folder"
venv/bin/python -c '
import pathlib, minigen, minigen.models.latent.vae, minigen.data
assert pathlib.Path(minigen.__file__).is_relative_to(pathlib.Path("venv").resolve()), minigen.__file__
assert (pathlib.Path(minigen.__file__).parent / "py.typed").is_file()  # or type checkers do not read its types
assert len(minigen.data.mnist("test")) == 10_000
assert minigen.data.shakespeare().startswith("CHORUS:")
'
venv/bin/minigen info
venv/bin/minigen train vae --dry-run
venv/bin/minigen sample cgan --class 7 -n 4
venv/bin/minigen bench tiny_mlp_b8 --quick --peers
echo "wheel-check: the wheel works in an empty environment"
