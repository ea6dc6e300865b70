"""Corpus statistics as a file of a student's folder.

What belongs here: writing and reading the file. What does not: the statistics themselves
(corpus_statistics.py) and the rest of the folder (student/folder.py). Imported only where a model
is needed: it loads torch.

Vectors are in half precision, to which they were already rounded. Sparse word counts are the three
arrays of scipy's csr_array. The names in the file are those of its first version, so that students
of every version load.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from scipy.sparse import csr_array

from relabel_assets.student.folder import not_a_student
from relabel_assets.student.late_interaction.background import BackgroundWindows
from relabel_assets.student.late_interaction.corpus_statistics import CorpusStatistics
from relabel_assets.student.late_interaction.feedback import FeedbackWindows
from relabel_assets.student.late_interaction.word_statistics import WordStatistics

STATISTICS_FILE = "evidence.safetensors"  # named in the first version


def save_corpus_statistics(folder: Path, statistics: CorpusStatistics) -> None:
    """Write the statistics into `folder`, where read_corpus_statistics reads them.

    >>> import tempfile
    >>> import numpy as np
    >>> east = torch.tensor([[1.0, 0.0]])
    >>> words = WordStatistics(idf=np.ones(3), mean_length=2.0)
    >>> feedback = FeedbackWindows.from_documents([east], [{1: 2}], words)
    >>> statistics = CorpusStatistics(words, BackgroundWindows(east, [[1, 2]], [1]), feedback)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_corpus_statistics(Path(folder), statistics)
    ...     read_corpus_statistics(Path(folder)).background.word_ids
    [[1, 2]]
    """
    words, background, feedback = statistics.words, statistics.background, statistics.feedback
    all_word_ids = [word for ids in background.word_ids for word in ids]
    tensors = {
        "idf": torch.tensor(words.idf),
        "mean_length": torch.tensor(words.mean_length, dtype=torch.float64),
        "vectors": background.token_vectors.half().contiguous(),
        "lengths": torch.tensor(background.lengths),
        "words": torch.tensor(all_word_ids, dtype=torch.int32),
        "n_words": torch.tensor([len(ids) for ids in background.word_ids]),
        "feedback_vectors": feedback.vectors.half().contiguous(),
        "feedback_document": torch.tensor(feedback.document_of_window, dtype=torch.int32),
        "feedback_words": torch.tensor(feedback.word_counts.indices, dtype=torch.int32),
        "feedback_counts": torch.tensor(feedback.word_counts.data, dtype=torch.int32),
        "feedback_ends": torch.tensor(feedback.word_counts.indptr, dtype=torch.int64),
    }
    save_file(tensors, folder / STATISTICS_FILE)


def read_corpus_statistics(folder: Path) -> CorpusStatistics:
    """The statistics saved in `folder`. Raises StudentError where the file is missing or damaged.

    >>> read_corpus_statistics(Path("/nowhere"))
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: /nowhere is not a student: evidence.safetensors cannot be read ...
    """
    try:
        tensors = load_file(folder / STATISTICS_FILE)
        words = WordStatistics(tensors["idf"].numpy(), tensors["mean_length"].item())
        word_ids = tensors["words"].split(tensors["n_words"].tolist())
        background = BackgroundWindows(
            tensors["vectors"].float(),
            [ids.tolist() for ids in word_ids],
            tensors["lengths"].tolist(),
        )
        ends = tensors["feedback_ends"].numpy()
        counts, count_ids = tensors["feedback_counts"].numpy(), tensors["feedback_words"].numpy()
        word_counts = csr_array((counts, count_ids, ends), (len(ends) - 1, len(words.idf)))
        word_counts.check_format(full_check=True)  # an index outside would crash scipy
        vectors = tensors["feedback_vectors"].float()
        documents = tensors["feedback_document"].numpy()
        feedback = FeedbackWindows(vectors, documents, word_counts, words)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise not_a_student(folder, STATISTICS_FILE, error) from error
    return CorpusStatistics(words, background, feedback)
