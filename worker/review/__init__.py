"""Results as the web app's pages show them: chosen, in order, a page at a time; read, never written."""

from worker.answers.confidence import DOUBTFUL_BELOW
from worker.queue.batch_statistics import BatchHistory
from worker.queue.model import QueueError, ResultRow
from worker.review.batch import BatchPage, read_answers, read_batch_agreement, read_batch_page
from worker.review.choice import (
    ANSWERS,
    FAILED,
    NOTE_NAMES,
    NOTED,
    REVIEWS,
    TRUNCATED,
    After,
    ResultFilter,
)
from worker.review.reviewed import AnswerKey, BandAgreement, Verdicts

__all__ = [
    "ANSWERS",
    "DOUBTFUL_BELOW",
    "FAILED",
    "NOTED",
    "NOTE_NAMES",
    "REVIEWS",
    "TRUNCATED",
    "After",
    "AnswerKey",
    "BandAgreement",
    "BatchHistory",
    "BatchPage",
    "QueueError",
    "ResultFilter",
    "ResultRow",
    "Verdicts",
    "read_answers",
    "read_batch_agreement",
    "read_batch_page",
]
