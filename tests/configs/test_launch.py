"""Tests the files in `configs/launch` as far as possible without the clusters they are for."""

import re
import shlex
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.commands import ROOT, refusal, run_command
from vidjax import configs, plugins

FOLDER = ROOT / "configs" / "launch"
FILES = sorted(FOLDER.iterdir())
COMMAND = [
    "vidjax",
    "train",
    "--config=folder",
    "--config.data.manifest=gs://BUCKET/videos.csv",
    "--config.data.data_dir=gs://BUCKET/data",
    "--workdir=gs://BUCKET/runs/a",
]
# Exit codes after which the same command continues (docs/launching.md), and the others.
AGAIN, NEVER = {69, 74, 75, 134, 137, 143}, {0, 2}


def fields(*required, **known):
    """A schema of an object with exactly these fields."""
    return {
        "type": "object",
        "required": list(required),
        "properties": known,
        "additionalProperties": False,
    }


def listed(kind):
    return {"type": "array", "items": kind}


TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}
# Fields that JobSet's v1alpha2 allows (custom resource definition of August 2026).
RULE = fields(
    "name",
    "action",
    name=TEXT,
    action={
        "enum": [
            "FailJobSet",
            "RestartJobSet",
            "RestartJobSetAndIgnoreMaxRestarts",
            "RestartJob",
            "RestartJobAndIgnoreMaxRestarts",
        ]
    },
    onJobFailureReasons=listed(
        {
            "enum": [
                "BackoffLimitExceeded",
                "DeadlineExceeded",
                "FailedIndexes",
                "MaxFailedIndexesExceeded",
                "PodFailurePolicy",
            ]
        }
    ),
    targetReplicatedJobs=listed(TEXT),
)
CONTAINER = fields(
    "name",
    name=TEXT,
    image=TEXT,
    command=listed(TEXT),
    args=listed(TEXT),
    env=listed(fields("name", name=TEXT, value=TEXT)),
    resources=fields(limits={"type": "object"}, requests={"type": "object"}),
)
POD = fields(
    "containers",
    containers=listed(CONTAINER),
    # A pod failure policy requires this value.
    restartPolicy={"const": "Never"},
    serviceAccountName=TEXT,
    terminationGracePeriodSeconds=COUNT,
    nodeSelector=TEXTS,
)
EXITS = fields(
    "operator",
    "values",
    containerName=TEXT,
    operator={"enum": ["In", "NotIn"]},
    values=listed(COUNT),
)
JOB = fields(
    "template",
    parallelism=COUNT,
    completions=COUNT,
    completionMode={"enum": ["NonIndexed", "Indexed"]},
    backoffLimit=COUNT,
    podFailurePolicy=fields(
        "rules",
        rules=listed(
            fields(
                "action",
                action={"enum": ["FailJob", "FailIndex", "Ignore", "Count"]},
                onExitCodes=EXITS,
            )
        ),
    ),
    template=fields("spec", spec=POD),
)
JOBSET = fields(
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    apiVersion={"const": "jobset.x-k8s.io/v1alpha2"},
    kind={"const": "JobSet"},
    metadata=fields("name", name=TEXT, annotations=TEXTS, labels=TEXTS),
    spec=fields(
        "replicatedJobs",
        failurePolicy=fields(maxRestarts=COUNT, rules=listed(RULE)),
        replicatedJobs=listed(
            fields("name", "template", name=TEXT, replicas=COUNT, template=fields("spec", spec=JOB))
        ),
    ),
)
# Fields that SkyPilot's task files allow (November 2026).
SKYPILOT = fields(
    "run",
    name=TEXT,
    num_nodes={"type": "integer", "minimum": 1},
    envs=TEXTS,
    file_mounts={"type": "object"},
    setup=TEXT,
    run=TEXT,
    resources=fields(
        infra={"type": "string", "pattern": "^(aws|gcp|azure|k8s|kubernetes)(/.+)?$"},
        accelerators={"type": "string", "pattern": r"^[\w-]+(:\d+)?$"},
        use_spot={"type": "boolean"},
        job_recovery=fields(
            strategy=TEXT,
            max_restarts_on_errors=COUNT,
            recover_on_exit_codes=listed({"type": "integer", "minimum": 0, "maximum": 255}),
        ),
    ),
)


def read(name):
    return yaml.safe_load((FOLDER / name).read_text())


def pod(jobset):
    (job,) = jobset["spec"]["replicatedJobs"]
    return job["template"]["spec"]["template"]["spec"]


def commands(file):
    """Returns every call of vidjax in a file, split into words."""
    if file.name == "jobset.yaml":
        return [each["command"] for each in pod(read(file.name))["containers"]]
    text = read(file.name)["run"] if file.suffix == ".yaml" else file.read_text()
    lines = re.sub(r"\\\n", " ", text).splitlines()
    words = [shlex.split(line) for line in lines if not line.lstrip().startswith("#")]
    return [line[line.index("vidjax") :] for line in words if "vidjax" in line]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_launcher_starts_the_same_command_and_keeps_programs_in_the_bucket(file):
    assert commands(file) == [COMMAND]
    assert re.search(
        r"JAX_COMPILATION_CACHE_DIR\W+(value: )?\W*gs://BUCKET/compiled", file.read_text()
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_launcher_begins_with_its_usage_and_that_it_is_untested(file):
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#!")]
    head = "\n".join(lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))])
    assert f"configs/launch/{file.name}" in head
    assert re.search(r"# Not run by us: we have no \w+\.", head)
    assert file.name in (ROOT / "docs" / "launching.md").read_text()


def test_the_commands_flags_are_parsed(tmp_path):
    """Parses all flags, with folders in place of buckets."""
    given = [word.replace("gs://BUCKET", str(tmp_path)) for word in COMMAND[2:]]
    assert f"{tmp_path}/videos.csv" in refusal(run_command("experiments.train", *given))


@pytest.mark.parametrize("file", [each for each in FILES if each.suffix != ".yaml"])
def test_scripts_are_bash(file):
    subprocess.run(["bash", "-n", file], check=True)


def test_the_jobset_is_valid():
    jsonschema.validate(read("jobset.yaml"), JOBSET)


def test_only_permanent_errors_end_the_jobset():
    """A job that fails by its pods' policy ends the set; other failures restart it by default."""
    jobset = read("jobset.yaml")
    (rule,) = jobset["spec"]["failurePolicy"]["rules"]
    assert rule["action"] == "FailJobSet"
    assert rule["onJobFailureReasons"] == ["PodFailurePolicy"]
    (job,) = jobset["spec"]["replicatedJobs"]
    (of_pods,) = job["template"]["spec"]["podFailurePolicy"]["rules"]
    assert of_pods["action"] == "FailJob"
    assert of_pods["onExitCodes"]["values"] == [2]
    (container,) = pod(jobset)["containers"]
    assert of_pods["onExitCodes"]["containerName"] == container["name"]
    # A machine of a slice has four chips.
    across, down = map(
        int, pod(jobset)["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x")
    )
    chips = container["resources"]["limits"]["google.com/tpu"]
    assert job["template"]["spec"]["completions"] * chips == across * down


def test_the_skypilot_file_is_valid_and_restarts_after_temporary_failures():
    task = read("skypilot.yaml")
    jsonschema.validate(task, SKYPILOT)
    again = set(task["resources"]["job_recovery"]["recover_on_exit_codes"])
    # Retrying for ever does not increase a quota that is used up.
    assert again == AGAIN - {74}
    assert not again & NEVER


STUB = {
    "vidjax": 'echo "$@" >> $LOG; read -r code < $CODES; sed -i 1d $CODES; exit $code',
    "srun": 'while [[ $1 == --* ]]; do shift; done; "$@"',
    "scontrol": 'echo "$@" >> $LOG',
    "sleep": "",
}


def run_script(tmp_path, name, codes):
    """Runs a script in which vidjax exits with `codes`; returns its exit code and its commands."""
    programs, log, left = tmp_path / "bin", tmp_path / "log", tmp_path / "codes"
    programs.mkdir()
    left.write_text("".join(f"{code}\n" for code in codes))
    for program, text in STUB.items():
        (programs / program).write_text(f"#!/bin/bash\n{text}\n")
        (programs / program).chmod(0o755)
    # The folders in which vidjax is installed on the cluster.
    script = (FOLDER / name).read_text()
    for place in ("/opt/vidjax/bin", "$SLURM_SUBMIT_DIR/.venv/bin"):
        script = script.replace(place, str(programs))
    environment = {"PATH": "/usr/bin:/bin", "LOG": str(log), "CODES": str(left), "HOME": "/"}
    environment |= {"SLURM_JOB_ID": "7", "PATH": f"{programs}:/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", script], env=environment, timeout=60)
    return done.returncode, log.read_text().splitlines()


TRAIN = " ".join(COMMAND[1:])


@pytest.mark.parametrize("end", sorted(NEVER))
def test_a_slice_restarts_until_success_or_a_permanent_error(tmp_path, end):
    codes = [*sorted(AGAIN), end]
    assert run_script(tmp_path, "queued_tpu.sh", codes) == (end, [TRAIN] * len(codes))


@pytest.mark.parametrize("code", sorted(AGAIN | NEVER))
def test_slurm_requeues_a_job_that_can_continue(tmp_path, code):
    again = ["requeue 7"] if code in AGAIN else []
    assert run_script(tmp_path, "slurm.sbatch", [code]) == (code, [TRAIN, *again])


def test_launchers_are_not_listed_as_configurations():
    assert "launch" not in plugins.names(configs)
    assert all(Path(file).suffix != ".py" for file in FILES)
