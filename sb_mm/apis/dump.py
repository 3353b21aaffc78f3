"""Predictions in files."""
import csv
import json
from pathlib import Path

from mmengine.evaluator import BaseMetric, DumpResults
from mmengine.registry import METRICS


@METRICS.register_module()
class DumpLabelMaps(DumpResults):
    """Pickle the predictions of a segmentor without its score maps, which
    take a hundred times the space of the labels."""

    def process(self, data_batch, predictions) -> None:
        """Keep the predictions of a batch."""
        super().process(data_batch, [{
            key: value
            for key, value in sample.items() if not key.endswith('seg_logits')
        } for sample in predictions])


@METRICS.register_module()
class ClassificationTable(BaseMetric):
    """Write the predictions of a classifier to a csv or json file: image,
    label, class, score (0 to 1), and the label of the ground truth.

    Args:
        out_file_path (str): File that ends in ``.csv`` or ``.json``.
        **kwargs: Arguments of :class:`mmengine.evaluator.BaseMetric`.
    """

    def __init__(self, out_file_path: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.path = Path(out_file_path)

    def process(self, data_batch, data_samples) -> None:
        """Keep the predictions of a batch."""
        for sample in data_samples:
            scores = sample['pred_score']
            row = dict(
                image=sample.get('img_path'),
                label=sample['pred_label'].tolist(),
                score=[round(scores[i].item(), 6)
                       for i in sample['pred_label']],
                truth=sample['gt_label'].tolist()
                if 'gt_label' in sample else [])
            self.results.append(row)

    def compute_metrics(self, results) -> dict:
        """Write the file.

        Returns:
            dict: Nothing.
        """
        names = self.dataset_meta.get('classes') or ()
        for row in results:
            row['class'] = [names[i] for i in row['label'] if i < len(names)]
        columns = 'image', 'label', 'class', 'score', 'truth'
        if self.path.suffix == '.json':
            self.path.write_text(json.dumps(
                [{key: row[key] for key in columns} for row in results],
                indent=1))
        else:
            with open(self.path, 'w', newline='') as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                for row in results:  # a cell with several labels has spaces
                    writer.writerow([row['image']] + [
                        ' '.join(map(str, row[key])) for key in columns[1:]
                    ])
        return {}
