"""Reads a run back out of TensorBoard's event files, or out of an MLflow server, as JSON.

    tracking.py tensorboard DIR
    tracking.py mlflow URL
"""

import json
import pathlib
import sys


def tensorboard(root):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = {}
    for folder in sorted({path.parent for path in pathlib.Path(root).rglob("*tfevents*")}):
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "images": 0})
        events.Reload()
        tags = events.Tags()
        found[str(folder.relative_to(root))] = {
            "scalars": {
                tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in tags["scalars"]
            },
            "texts": {
                tag: [event.tensor_proto.string_val[0].decode() for event in events.Tensors(tag)]
                for tag in tags["tensors"]
            },
            "images": {
                tag: [[event.width, event.height] for event in events.Images(tag)] for tag in tags["images"]
            },
        }
    return found


def mlflow(url):
    from mlflow import MlflowClient

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("burgeon")
    found = []
    for run in client.search_runs([experiment.experiment_id]) if experiment else []:
        metrics = {
            key: [[point.step, point.value] for point in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
        }
        files, folders = [], [""]
        while folders:
            for entry in client.list_artifacts(run.info.run_id, folders.pop()):
                (folders if entry.is_dir else files).append(entry.path)
        found.append(
            {
                "name": run.info.run_name,
                "status": run.info.status,
                "tags": run.data.tags,
                "parameters": run.data.params,
                "metrics": metrics,
                "files": sorted(files),
            }
        )
    return found


print(json.dumps({"tensorboard": tensorboard, "mlflow": mlflow}[sys.argv[1]](sys.argv[2])))
