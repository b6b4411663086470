"""Training and looking at runs."""

import importlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import burgeon


def test_the_command_comes_with_the_package(command):
    assert command("--version").strip() == f"burgeon {burgeon.__version__}"
    # Of this very environment.
    assert os.environ.get("BURGEON_COMMAND") or Path(burgeon.command()).parent == Path(sys.executable).parent


def test_a_run_is_two_frames_with_what_the_command_tells(run, command):
    assert run.outcome in ("accepted", "rejected") and run.name == "bars"
    trials, curves = run.trials, run.curves
    assert len(trials) > 1, "it did not grow"
    assert list(trials["trial"]) == list(range(1, len(trials) + 1))
    lineage = json.loads(command("lineage", run.path, "--json"))
    assert [trial["parameters"] for trial in lineage] == list(trials["parameters"])
    assert [trial["accuracy"] for trial in lineage] == list(trials["validation_accuracy"])
    assert [trial["opened"] for trial in lineage] == list(trials["passed"])
    assert len(curves) == trials["epochs"].sum() and set(curves["trial"]) == set(trials["trial"])
    assert curves["validation_accuracy"].between(0, 1).all() and (curves["images"] > 0).all()
    best = trials.set_index("trial").loc[run.best_trial]
    assert best["validation_accuracy"] == run.validation_accuracy
    # A frame is the caller's own.
    trials["trial"] = 0
    assert run.trials["trial"].iloc[0] == 1


def test_progress_is_text_where_there_is_no_tqdm(study, tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    run = burgeon.train(study(), grow=False, runs=tmp_path, seed=3, set={"train.epochs": 2, "gate.accuracy": 0.0,
                                                                        "gate.allow-majority": True})
    shown = capfd.readouterr().out.splitlines()
    assert shown[0] == f"bars in {run.path}"
    assert [line.split(":")[0] for line in shown[2:4]] == ["  trial 1, epoch 1/2", "  trial 1, epoch 2/2"]
    assert shown[-1].startswith("accepted: trial 1, ")


def test_progress_is_a_bar_where_there_is_tqdm(study, tmp_path, capfd):
    pytest.importorskip("tqdm")
    burgeon.train(study(), grow=False, runs=tmp_path, set={"train.epochs": 2})
    assert "trial 1: 100%" in capfd.readouterr().err


def test_a_gate_that_is_not_passed_is_no_error(study, tmp_path):
    run = burgeon.train(study(), grow=False, runs=tmp_path, progress=False, set={"train.epochs": 1, "gate.accuracy": 1.0,
                                                                                 "train.learning-rate": 1e-7})
    assert (run.outcome, run.accepted, run.test_accuracy) == ("rejected", False, None)


def test_a_study_that_is_wrong_is_told_as_the_command_tells_it(tmp_path):
    (tmp_path / "wrong.toml").write_text("name = 'a'\n[train]\nepoks = 3\n")
    with pytest.raises(burgeon.CommandError) as found:
        burgeon.train(tmp_path / "wrong.toml", runs=tmp_path, progress=False)
    assert found.value.code == 2 and "epoks" in str(found.value) and "epochs" in str(found.value)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupt_stops_the_training_which_can_be_resumed(study, tmp_path):
    path = study()
    program = f"import burgeon; burgeon.train({str(path)!r}, grow=False, runs={str(tmp_path)!r}, set={{'train.epochs': 100000}})"
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    events = tmp_path / "bars-0001" / "events.jsonl"
    patience = time.monotonic() + 120
    while not (events.is_file() and "epoch_finished" in events.read_text()):
        assert time.monotonic() < patience and child.poll() is None
        time.sleep(0.05)
    # Of this process alone, as a notebook does.
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=120)
    assert "KeyboardInterrupt" in said
    assert burgeon.load(tmp_path / "bars-0001").events[-1]["event"] == "study_stopped"
    with pytest.raises(burgeon.CommandError, match="changed|differs|study"):
        # Another study does not continue it.
        burgeon.train(path, grow=False, runs=tmp_path, resume=True, progress=False, set={"train.epochs": 2})


def test_folders_and_files_that_are_no_run_are_told(tmp_path):
    with pytest.raises(burgeon.NotARun, match="is not a run folder"):
        burgeon.load(tmp_path)
    (tmp_path / "events.jsonl").write_text("")
    with pytest.raises(burgeon.NotARun, match="is empty"):
        burgeon.load(tmp_path)
    (tmp_path / "events.jsonl").write_text('{"event": "a"}\nnothing\n{"event": "b"}\n')
    with pytest.raises(burgeon.NotARun, match="line 2 "):
        burgeon.load(tmp_path)


def test_a_run_that_is_still_being_written_is_read_as_far_as_it_is(run, tmp_path):
    text = (run.path / "events.jsonl").read_text()
    until = text.index("\n", text.index("epoch_finished"))
    (tmp_path / "events.jsonl").write_text(text[: until + 1] + '{"v":1,"event":"epoch_fin')
    started = burgeon.load(tmp_path)
    assert started.outcome is None and len(started.curves) == 1
    assert started.validation_accuracy == started.curves["validation_accuracy"].iloc[0]
    assert "not finished" in repr(started)


def test_numbers_that_are_none_are_nan(tmp_path):
    epoch = '{"v":1,"event":"epoch_finished","trial":1,"epoch":1,"train_loss":null,"validation_accuracy":null}'
    started = '{"v":1,"event":"trial_started","trial":1,"parent":null,"edits":[],"inherit":"nothing","reason":"",' \
        '"parameters":1,"flops_per_image":1}'
    (tmp_path / "events.jsonl").write_text(f"{started}\n{epoch}\n")
    run = burgeon.load(tmp_path)
    assert math.isnan(run.curves["train_loss"].iloc[0]) and run.validation_accuracy is None
    assert run.trials["validation_accuracy"].isna().all()


def test_a_package_that_is_missing_is_named_with_its_remedy(run, monkeypatch):
    real = importlib.import_module

    def without(name, *rest):
        if name.split(".")[0] in ("pandas", "onnxruntime"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(burgeon.MissingPackage, match=r'needs pandas.*pip install "burgeon\[frames\]"'):
        burgeon.load(run.path).trials
    with pytest.raises(burgeon.MissingPackage, match=r'needs onnxruntime.*pip install "burgeon\[predict\]"'):
        burgeon.predict(run, "a.png")
