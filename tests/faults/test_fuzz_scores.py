"""Fuzzes score files: mutations are read or refused."""

import numpy as np
import pytest

from tests.faults.fuzz import BINARY, COUNT, TEXT, fuzz, refusing
from vidjax.evaluation.score_files import ScoresError, ScoreTable, read_score_table, write_scores

TOKENS = (*TEXT, *BINARY, b"|O", b"<U999999999", b"(1000000000, 512)", b"PK\x01\x02")
MEMORY = 64 * 2**20


def read(file):
    with refusing(ScoresError):
        read_score_table(file)


def fuzzed(scratch, count):
    file = scratch / "scores.npz"
    scores = np.full((4, 3), 1 / 3, np.float32)
    names, classes = ["a", "b@1-2", "vidéo", "d"], ["jump", "run", "sit"]
    about = {"views": {"clips": 1}}
    write_scores(file, ScoreTable.of(names, scores, classes, [""] * 4, "test", about))
    return fuzz(f"{__name__}:read", file, scratch, count=count, tokens=TOKENS, memory=MEMORY)


def test_mutations_of_scores_are_read_or_refused(tmp_path):
    assert fuzzed(tmp_path, 150).refused > 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_mutations_of_scores(tmp_path):
    assert fuzzed(tmp_path, COUNT).refused > COUNT // 4
