"""dvc.yaml against the code and the plan files: every stage depends on what it reads, and on nothing else."""

import ast
import re
import subprocess
import sys

import pytest
import yaml
from checkout import ROOT, params

from pipeline.config import profile
from pipeline.config.params import expand, write
from pipeline.runtime import sources
from pipeline.runtime.errors import UserError

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def body(stage: str) -> dict:
    return STAGES[stage].get("do", STAGES[stage])


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "plan"])
def test_a_stage_depends_on_the_modules_of_its_script(stage):
    assert body(stage)["cmd"].startswith(f"python -m stages.{stage}")
    assert f"sources/{stage}.yaml" in body(stage)["deps"]
    assert not any(path.endswith(".py") for path in body(stage)["deps"])


def test_the_plan_lists_the_modules_of_every_stage(tmp_path):
    write(expand(params()), tmp_path)
    # the default profile has no samples of other people
    assert {file.stem for file in (tmp_path / "sources").iterdir()} == set(STAGES) - {"plan", "score_theirs"}
    listed = yaml.safe_load((tmp_path / "sources" / "train_vae.yaml").read_text())["modules"]
    assert {"stages/train_vae.py", "pipeline/vae/objective.py", "pipeline/flow/planar.py"} <= set(listed)
    assert not any(module.startswith(("pipeline/gan/", "pipeline/config/", "stages/job")) for module in listed)
    assert all(len(checksum) == 32 for checksum in listed.values())


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "plan"])
def test_no_module_is_imported_after_the_modules_were_verified(stage):
    for module in sources.imported(f"stages/{stage}.py"):
        functions = [
            node for node in ast.walk(ast.parse((ROOT / module).read_text())) if isinstance(node, ast.FunctionDef)
        ]
        imports = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.ImportFrom)]
        assert not [node.module for node in imports if str(node.module).startswith(("pipeline", "stages"))], module


@pytest.mark.slow
@pytest.mark.parametrize("script", ["train_vae", "report"])
def test_what_is_imported_is_what_python_loads(script):
    """The static search agrees with a real import."""
    code = f"import stages.{script}, sys; print(*(m for m in sys.modules if m.startswith(('pipeline.', 'stages.'))))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = {name.replace(".", "/") + ".py" for name in loaded.split()}
    files = {file for file in files if (ROOT / file).is_file() and not file.startswith("pipeline/tracking/")}
    assert files - set(sources.EXEMPT) <= set(sources.imported(f"stages/{script}.py"))


@pytest.mark.parametrize(
    ("text", "message"),
    [("import pipeline.b\nx =\n", "stages/s.py, line 2: not Python"), (None, "stages/s.py: no such module")],
)
def test_a_module_that_cannot_be_read_is_the_users_to_repair(tmp_path, monkeypatch, text, message):
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    if text is not None:
        (tmp_path / "stages").mkdir()
        (tmp_path / "stages/s.py").write_text(text)
    with pytest.raises(UserError, match=message):
        sources.listing("stages/s.py")


def test_packages_hold_no_code_that_a_dependency_list_would_miss():
    for package in [*ROOT.glob("pipeline/**/__init__.py"), ROOT / "stages/__init__.py"]:
        if str(package.relative_to(ROOT)) in sources.EXEMPT:
            continue
        statements = ast.parse(package.read_text()).body
        assert all(isinstance(node, ast.Expr) for node in statements), f"{package} holds more than a docstring"


def test_exempt_modules_exist_and_have_a_reason():
    for path, reason in sources.EXEMPT.items():
        assert (ROOT / path).exists() and len(reason.split()) > 1


@pytest.mark.parametrize("name", profile.NAMES)
def test_plan_files_name_the_dependencies_and_outputs_of_dvc(name):
    content = params(name)
    for plan in expand(content):
        stage = body(plan.stage)
        runs = content  # the mapping that the stage iterates over, `${vae.runs}`
        for key in STAGES[plan.stage].get("foreach", "").strip("${}").split("."):
            runs = runs.get(key, {})
        assert bool(runs) == ("@" in plan.address)  # a stage that iterates over nothing has one plan, named like it
        item = runs.get(plan.run, {})

        def filled(text: str, run: str = plan.run, item: dict = item) -> str:
            return re.sub(r"\$\{item\.(\w+)\}", lambda found: item[found.group(1)], text.replace("${key}", run))

        expected = {str(plan.path), f"sources/{plan.stage}.yaml", *plan.inputs.values()}
        assert {filled(path) for path in stage["deps"]} == expected, plan.address
        assert [filled(path) for path in stage["outs"]] == [plan.output], plan.address


def test_the_report_depends_on_every_file_that_is_no_module():
    files = {file for file in (ROOT / "pipeline/report").rglob("*") if file.is_file() and file.suffix != ".py"}
    deps = [ROOT / path for path in body("report")["deps"]]
    read = {file for file in files if any(file == path or path in file.parents for path in deps)}
    assert read == {file for file in files if "__pycache__" not in file.parts}
