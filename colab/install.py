# @title Install vidjax
# Installs vidjax and its dependencies if they are missing.
# Installed packages are not changed: JAX, NumPy and TensorFlow stay those of this machine.
# The only exception is a tensorflow-metadata that the installed protobuf cannot load.
REPOSITORY = "OWNER/vidjax"  # on GitHub

import contextlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement

# Modules that several packages provide; one of them is enough.
MODULES = {"tensorflow-cpu": "tensorflow", "opencv-python-headless": "cv2"}


def pip_install(*arguments):
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True)


def installed():
    for package in metadata.distributions():
        # Packages of the operating system may have versions of another kind.
        with contextlib.suppress(InvalidRequirement):
            yield Requirement(f"{package.name}=={package.version}")


def is_missing(package):
    if package in MODULES:
        return importlib.util.find_spec(MODULES[package]) is None
    try:
        return not metadata.version(package)
    except metadata.PackageNotFoundError:
        return True


def error_of_import():
    # TFDS only logs errors while importing itself, but not those of its core module.
    used = [sys.executable, "-c", "import tensorflow_datasets.core, vidjax.training.loop"]
    tried = subprocess.run(used, capture_output=True, text=True)
    # Warnings may follow the last line of a traceback.
    lines = re.findall(r"^[\w.]+(?:Error|Exception)\b.*", tried.stderr, re.MULTILINE)
    return [f"Python ended with code {tried.returncode}", *lines][-1] if tried.returncode else ""


if importlib.util.find_spec("vidjax") is None:
    print(f"vidjax is missing: installing it from github.com/{REPOSITORY}")
    pip_install("--no-deps", f"git+https://github.com/{REPOSITORY}")

needed = [Requirement(line) for line in metadata.requires("vidjax")]
needed = [each for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]
missing = [each for each in needed if is_missing(each.name)]
if missing:
    print("Installing what is missing:", ", ".join(each.name for each in missing))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as kept:
        kept.writelines(f"{package}\n" for package in installed())
        kept.flush()
        pip_install("--constraint", kept.name, *map(str, missing))
    importlib.invalidate_caches()
for each in needed:
    if each not in missing and each.name not in MODULES:
        version = metadata.version(each.name)
        if not each.specifier.contains(version, prereleases=True):
            print(f"{each.name} {version} stays, though vidjax is made for {each.specifier}")

error = error_of_import()
if "Protobuf" in error and "tensorflow_metadata" in error:
    print("tensorflow-metadata is too new for protobuf here: installing an older one")
    pip_install("--no-deps", "tensorflow-metadata<1.18")
    error = error_of_import()
if error:
    print("vidjax cannot be imported:", error)
    print("Upgrade the package that this names, with %pip install --upgrade, and restart.")
else:
    print(f"vidjax {metadata.version('vidjax')} with JAX {metadata.version('jax')} is ready")
