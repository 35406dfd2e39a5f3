"""Upstream's own `decimer` package behind our interface: the reference, and a way out for who wants it.

It runs on TensorFlow in this process (extra `upstream`), one image at a time, on weights that `pystow`
keeps or fetches below PYSTOW_HOME. Images are opened by us first, so that limits and named errors are the
same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from worker.answers.notes import notes_on_answer
from worker.decimer.errors import ImageRefused, ModelError
from worker.decimer.images.image_file import ImageLimits
from worker.decimer.images.preprocess import normalise, read_page
from worker.decimer.names import upstream_model
from worker.decimer.vocabulary import END, Vocabulary
from worker.recognition import Recognition, SourceImage

if TYPE_CHECKING:
    from worker.settings import EngineSettings


class UpstreamRecogniser:
    engine = "upstream"
    precision = "full"

    def __init__(
        self, decimer: Any, version: str, *, limits: ImageLimits, hand_drawn: bool, thumbnails: bool = False
    ) -> None:
        self.model = upstream_model(version, hand_drawn)
        self._model = decimer.DECIMER_Hand_drawn if hand_drawn else decimer.DECIMER_V2
        words = decimer.tokenizer.index_word
        self._vocabulary = Vocabulary([words[number] for number in range(len(words))])
        self._limits = limits
        self._thumbnails = thumbnails

    @classmethod
    def open(cls, settings: EngineSettings) -> UpstreamRecogniser:
        """Import and load it (20 s and 3 GB). Raises ModelError."""
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ.setdefault(name, str(settings.decimer_threads))
        try:
            from importlib.metadata import version

            from DECIMER import decimer
        except ImportError as error:
            raise ModelError(
                f"WORKER_DECIMER_ENGINE=upstream needs upstream's package ({error}): "
                "pip install 'cloud-monitor[upstream]', or use the engine onnx"
            ) from error
        limits = ImageLimits(settings.image_max_bytes, settings.image_max_pixels)
        options = {"hand_drawn": settings.hand_drawn, "thumbnails": settings.thumbnails}
        return cls(decimer, version("decimer"), limits=limits, **options)

    def recognise(self, images: Iterable[SourceImage]) -> Iterator[Recognition]:
        for image in images:
            try:
                yield self._recognise(image)
            except ImageRefused as refusal:
                yield Recognition(image.key, None, error=refusal.describe(), thumbnail=refusal.thumbnail)

    def _recognise(self, image: SourceImage) -> Recognition:
        import tensorflow

        drawing = read_page(image.path, self._limits, image.page, with_thumbnail=self._thumbnails)
        tensor = normalise(drawing.grey).transpose(1, 2, 0)
        written, confidences = self._model(tensorflow.constant(tensor))
        tokens = written[0].numpy().tolist()[1:]
        values = [float(value) for value in confidences.numpy().ravel()[1:]]
        truncated = tokens[-1] != END
        if not truncated:
            tokens, values = tokens[:-1], values[:-1]
        texts = self._vocabulary.texts(tokens)
        smiles = "".join(texts)
        notes = (*notes_on_answer(smiles, texts, truncated), *drawing.notes)
        return Recognition(
            image.key, smiles, texts, tuple(values), truncated, notes=notes, thumbnail=drawing.thumbnail
        )
