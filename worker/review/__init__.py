"""Results as the web app's pages show them: chosen, in order, a page at a time; read, never written."""

from worker.answers.confidence import band_of
from worker.answers.notes import UNPARSABLE
from worker.answers.smiles import LABEL as GROUP_LABEL
from worker.exports.base import LISTS, WITHOUT_LISTS, result_object
from worker.queue.model import QueueError, QueueUnavailable, ResultRow
from worker.queue.statistics.batches import BatchHistory
from worker.review.batch import (
    BatchPage,
    Folders,
    read_answers,
    read_batch_agreement,
    read_batch_page,
    read_results_of,
)
from worker.review.choice import (
    ANSWERS,
    FAILED,
    NO_MOLECULE,
    NOTE_NAMES,
    NOTED,
    REVIEWS,
    SOURCE_ITSELF,
    TRUNCATED,
    After,
    ResultFilter,
    Span,
    folder_of,
)
from worker.review.failed import GIVEN_UP, FailedChoice, FailedPage, read_failed_page
from worker.review.result import ResultPage, read_result_page
from worker.review.reviewed import AnswerKey, BandAgreement, Verdicts

__all__ = [
    "ANSWERS",
    "FAILED",
    "GIVEN_UP",
    "GROUP_LABEL",
    "LISTS",
    "NOTED",
    "NOTE_NAMES",
    "NO_MOLECULE",
    "REVIEWS",
    "SOURCE_ITSELF",
    "TRUNCATED",
    "UNPARSABLE",
    "WITHOUT_LISTS",
    "After",
    "AnswerKey",
    "BandAgreement",
    "BatchHistory",
    "BatchPage",
    "FailedChoice",
    "FailedPage",
    "Folders",
    "QueueError",
    "QueueUnavailable",
    "ResultFilter",
    "ResultPage",
    "ResultRow",
    "Span",
    "Verdicts",
    "band_of",
    "folder_of",
    "read_answers",
    "read_batch_agreement",
    "read_batch_page",
    "read_failed_page",
    "read_result_page",
    "read_results_of",
    "result_object",
]
