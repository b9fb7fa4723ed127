"""Settings go into plan files and come back, and their hyperparameters keep their names."""

from dataclasses import dataclass

import pytest
import yaml

from pipeline.runtime import settings


@dataclass(frozen=True)
class Layer:
    width: int
    rates: tuple[float, ...] = ()


@dataclass(frozen=True)
class Stack:
    layers: dict[str, Layer]
    pairs: tuple[tuple[int, int], ...]
    first: Layer
    last: Layer | None
    name: str | None = None


STACK = Stack({"a": Layer(1), "b": Layer(2, (1e-8, 0.5))}, ((1, 2), (3, 4)), Layer(3), None)


@pytest.mark.parametrize("value", [STACK, Stack({}, (), Layer(1), Layer(2), "text")])
def test_they_come_back_from_yaml_and_json(tmp_path, value):
    assert settings.build(Stack, yaml.safe_load(yaml.safe_dump(settings.plain(value)))) == value
    settings.write(tmp_path / "stack.json", value)
    assert settings.read(tmp_path / "stack.json", Stack) == value


@pytest.mark.parametrize(
    "change", [lambda plain: plain.pop("pairs"), lambda plain: plain.update(odd={}), lambda plain: plain.update(odd=1)]
)
def test_a_field_too_few_or_too_many_is_refused(change):
    plain = settings.plain(STACK)
    change(plain)
    with pytest.raises(TypeError):
        settings.build(Stack, plain)


def test_flat_names_are_those_of_params_yaml():
    groups = {"generator": {"learning_rate": 1, "penalty": "r1"}, "critic": {"learning_rate": 2, "steps": 5}}
    games = {"games": {"jsd": {"loss": "jsd"}, "w1": {"loss": "w1"}}, "seeds": [0], "none": None, "empty": {}}
    assert settings.flat({**groups, **games}) == {
        "generator_learning_rate": 1, "critic_learning_rate": 2, "penalty": "r1", "steps": 5, **games
    }  # fmt: skip
