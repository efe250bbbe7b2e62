"""Every option is declared once: help, flag, bounds, manifest entry and command line say the same."""

import dataclasses
import json
import math
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
import typer.main

from xrayaug import cli
from xrayaug.data import arms
from xrayaug.errors import UsageError
from xrayaug.networks.gans import dcgan
from xrayaug.options import COMMANDS, Augment, Experiment, Phantom, Prepare, TrainClassifier, TrainGan
from xrayaug.options.base import Command, Role, flag_name, format_value, parse_numbers, parse_pair, parse_words
from xrayaug.options.choices import Control
from xrayaug.options.recipes import Recipe
from xrayaug.runtime.stopping import Interval

Field = dataclasses.Field[Any]
Parse = Callable[[list[str]], Command]

FIELDS = [(command, field) for command in COMMANDS.values() for field in command.option_fields()]
FIELD_IDS = [f"{command.name} {flag_name(field.name)}" for command, field in FIELDS]
BOUNDED = [
    (command, field, bound)
    for command, field in FIELDS
    for bound in ("minimum", "maximum", "above")
    if field.metadata[bound] is not None
]


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Parse:
    """`parse(argv)`: the options that the command line makes of these words."""
    seen: list[Command] = []
    monkeypatch.setattr(cli, "run", seen.append)
    program = typer.main.get_command(cli.app)

    def parsed(argv: list[str]) -> Command:
        program(argv, standalone_mode=False)
        return seen.pop()

    return parsed


def kind(command: type[Command], field: Field) -> Any:
    """The field's type without None; a choice is `Literal`."""
    hint = get_type_hints(command)[field.name]
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:
        return hint
    return Literal if field.metadata["choices"] or get_origin(hint) is Literal else hint


def choices(command: type[Command], field: Field) -> tuple[str, ...]:
    if field.metadata["choices"]:
        return tuple(field.metadata["choices"])
    hint = get_type_hints(command)[field.name]
    texts = [part for part in get_args(hint) if isinstance(part, str)]
    return tuple(texts) or next(get_args(part) for part in get_args(hint) if get_origin(part) is Literal)


def awkward(command: type[Command], field: Field) -> Iterator[Any]:
    """Values of a field that are not its default, hard to write or not."""
    of = kind(command, field)
    if of is Literal:
        yield from (choice for choice in choices(command, field) if choice != field.default)
    elif of is bool:
        yield not field.default
    elif of is int:
        yield int(field.metadata["minimum"] or 0) + 41
    elif of is float:
        low, high = field.metadata["above"] or field.metadata["minimum"] or 0, field.metadata["maximum"] or 1
        yield from (low + (high - low) * part for part in (1 / 3, 1e-7, 0.12345678901))
    elif of == tuple[float, ...]:
        yield from ((0.0,), (0.1, 33.333333333333336, 1e-07), (1234567.0,))
    elif of == tuple[int, ...]:
        yield from ((3,), (3, 5, 8, 12))
    elif of == tuple[str, ...]:
        names = tuple(field.metadata["choices"] or ("cuda:0", "cuda:1"))
        yield from (names[-1:], names)
    elif of == tuple[int, int]:
        yield from ((3, 17), (0, 1_000_000))
    elif of == tuple[Path, ...]:
        yield (Path("runs/a b"), Path("/x/ü'"))
    elif of is Interval:
        yield from (Interval(images=20000), Interval(seconds=90.0), Interval(seconds=7200.0), Interval(seconds=0.5))
    elif of is Path:
        yield from (Path("a b/ü"), Path("it's"))
    else:
        yield from ("fold er", "ü=1")


def required(command: type[Command]) -> dict[str, Any]:
    return {
        field.name: next(awkward(command, field))
        for field in command.option_fields()
        if field.default is dataclasses.MISSING
    }


def set_every_option(command: type[Command]) -> dict[str, Any]:
    return {field.name: next(awkward(command, field), field.default) for field in command.option_fields()}


@pytest.mark.parametrize(("command", "field"), FIELDS, ids=FIELD_IDS)
def test_help_is_a_sentence(command: type[Command], field: Field) -> None:
    text = field.metadata["help"]
    assert text.endswith((".", ")")), text
    assert "\n" not in text
    assert "  " not in text


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_says_what_it_does_and_gives_an_example(command: type[Command], parse: Parse) -> None:
    assert command.__doc__ is not None
    assert command.__doc__.endswith(".")
    program, *argv = command.example.split()
    assert program == "xrayaug"
    assert isinstance(parse(argv), command)


def test_an_option_has_the_same_type_in_all_commands() -> None:
    found: dict[str, set[Any]] = {}
    for command, field in FIELDS:
        of = kind(command, field)
        is_text = of in (str, Path, Literal, tuple[Path, ...])  # a path is a list of one
        found.setdefault(field.name, set()).add("text" if is_text else of)
    differing = {name: kinds for name, kinds in found.items() if len(kinds) > 1}
    assert differing == {"synthetic": {bool, "text"}}  # in `prepare` it says what the images are


def test_the_options_of_all_commands_are_declared_once() -> None:
    shared = {field.name: field for field in dataclasses.fields(Command)}
    for command, field in FIELDS:
        if field.name in shared and field.name != "out":  # fid may do without --out
            assert field.metadata == shared[field.name].metadata, command.name
            assert field.default == shared[field.name].default, command.name


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_out_is_the_last_option_of_a_command_line(command: type[Command]) -> None:
    names = [field.name for field in command.option_fields()]
    assert names[-1] == "out"
    assert len(set(names)) == len(names) == len(dataclasses.fields(command))
    assert command(**set_every_option(command)).argv()[-2] == "--out"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_argv_leaves_out_defaults_and_is_parsed_back(command: type[Command], parse: Parse) -> None:
    made = command(**required(command))
    assert len(made.argv()) == 1 + sum(
        1 + (not field.metadata["positional"])
        if not isinstance(getattr(made, field.name), tuple)
        else len(getattr(made, field.name))
        for field in made.option_fields()
        if field.default is dataclasses.MISSING
    )
    assert parse(made.argv()) == made


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_argv_of_all_options_at_once_is_parsed_back(command: type[Command], parse: Parse) -> None:
    made = command(**set_every_option(command))
    assert parse(made.argv()) == made


@pytest.mark.parametrize(("command", "field"), FIELDS, ids=FIELD_IDS)
def test_argv_of_every_value_is_parsed_back(command: type[Command], field: Field, parse: Parse) -> None:
    for value in awkward(command, field):
        made = command(**(required(command) | {field.name: value}))
        assert parse(made.argv()) == made


def test_a_command_line_is_quoted_for_a_shell() -> None:
    made = Phantom(layout="rsna", count=3, out=Path("my set/it's $HOME"))
    assert made.command_line() == """xrayaug phantom --layout rsna --count 3 --out 'my set/it'"'"'s $HOME'"""


@pytest.mark.parametrize(
    ("command", "field", "bound"), BOUNDED, ids=[f"{c.name} {k.name} {bound}" for c, k, bound in BOUNDED]
)
def test_bounds_are_usage_errors(command: type[Command], field: Field, bound: str) -> None:
    limit = field.metadata[bound]
    beyond = {"minimum": limit - 1, "maximum": limit + 1, "above": limit}[bound]
    with pytest.raises(UsageError, match=flag_name(field.name)) as refusal:
        command(**(required(command) | {field.name: beyond}))
    assert f"{limit:g}" in refusal.value.hint
    if bound != "above":
        command(**(required(command) | {field.name: limit}))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(value: float) -> None:
    for command, field in FIELDS:
        if kind(command, field) is float:
            with pytest.raises(UsageError, match=flag_name(field.name)):
                command(**(required(command) | {field.name: value}))


@pytest.mark.parametrize("text", ["0,ten", "0;10", "0, ,x"])
def test_a_list_that_holds_no_number_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not a list of numbers"):
        parse_numbers(text)


@pytest.mark.parametrize("text", ["3", "3,", "3,4,5", "a,b", "-1,2", "1.5,2", "", "1" * 20 + ",2"])
def test_a_text_that_is_not_a_pair_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not two image numbers"):
        parse_pair(text)


def test_a_pair_of_numbers() -> None:
    assert parse_pair(" 3, 17 ") == (3, 17)


def test_a_list_of_names_may_hold_only_the_choices() -> None:
    assert parse_words(" both, normal,") == ("both", "normal")
    with pytest.raises(UsageError, match="empty list"):
        parse_words(" ,")
    with pytest.raises(UsageError, match="--controls is placebo") as refusal:
        Experiment(controls=("duplicate", "placebo"), out=Path("out"))
    assert "one of none, duplicate, classical" in refusal.value.hint


def test_the_controls_of_the_options_are_those_of_a_dataset() -> None:
    assert get_args(Control) == arms.CONTROLS


def test_a_list_of_numbers() -> None:
    assert parse_numbers("0, 10,50.5,") == (0.0, 10.0, 50.5)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_identity_holds_the_settings_and_inputs_the_paths(command: type[Command]) -> None:
    # --views is a setting with --train head alone, and --shares if they differ.
    changes: dict[type[Command], dict[str, Any]] = {
        TrainClassifier: {"train": "head"},
        Augment: {"shares": (1.0, 2.0)},
    }
    made = command(**set_every_option(command) | changes.get(command, {}))
    of_role = {role: {field.name for field in made.option_fields() if field.metadata["role"] is role} for role in Role}
    assert set(made.identity()) == of_role[Role.SETTING]
    assert {name.split("/")[0] for name in made.inputs()} >= of_role[Role.INPUT]
    assert {"out", "overwrite", "dry_run", "json"} <= of_role[Role.EXECUTION]
    assert json.loads(json.dumps(made.identity())) == made.identity()


def test_inputs_that_are_not_given_are_left_out() -> None:
    assert Prepare(input=Path("raw"), out=Path("out")).inputs() == {"input": Path("raw")}


@pytest.mark.parametrize("word", ["imagenet", "none"])
def test_a_classifiers_weights_are_an_input_where_they_are_a_file(word: str) -> None:
    arm = Path("arm")
    assert TrainClassifier(data=arm, weights=word, out=Path("out")).inputs() == {"data": arm}
    with_file = TrainClassifier(data=arm, weights="w.pth", out=Path("out"))
    assert with_file.inputs() == {"data": arm, "weights": Path("w.pth")}


def test_runs_are_inputs_by_number() -> None:
    made = COMMANDS["evaluate"](runs=(Path("a"), Path("b")), out=Path("out"))  # type: ignore[call-arg]
    assert made.inputs() == {"runs/0": Path("a"), "runs/1": Path("b")}


def test_the_gan_of_the_thesis_is_the_default() -> None:
    made = TrainGan(data=Path("data"), out=Path("out"))
    assert (made.arch, made.epochs, made.only_label, made.width) == ("dcgan", 100, None, 1.0)


def test_every_field_of_a_recipe_is_an_option_whose_default_keeps_the_recipe() -> None:
    made = TrainGan(data=Path("data"), out=Path("out"))
    hints, of_recipe = get_type_hints(TrainGan), get_type_hints(Recipe)
    for field in dataclasses.fields(Recipe):
        assert getattr(made, field.name) is None
        assert hints[field.name] == of_recipe[field.name] | None


def test_the_recipe_of_the_default_architecture_that_help_shows_is_the_one_that_is_used() -> None:
    assert all(dcgan.recipe(size) == Recipe() for size in dcgan.SIZES)
    declared = {field.name: field.metadata["default_text"] for field in dataclasses.fields(TrainGan)}
    for name, value in vars(Recipe()).items():
        assert declared[name].startswith(f"{format_value(value)} for dcgan")


def test_the_defaults_of_the_classifier_are_the_thesiss() -> None:
    made = TrainClassifier(data=Path("data"), out=Path("out"))
    assert (made.arch, made.weights, made.size) == ("densenet169", "imagenet", 224)
    assert (made.batch_size, made.recipe.lr, made.flip) == (8, 1e-4, True)


def test_a_word_that_is_not_a_choice_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--arch is nothing") as refusal:
        TrainGan(data=Path("data"), out=Path("out"), arch="nothing")
    assert "dcgan" in refusal.value.hint


def _given(command: type[Command], name: str) -> dict[str, Any]:
    """Return values for the required options of a command, with text for every path."""
    needed = [field.name for field in dataclasses.fields(command) if field.default is dataclasses.MISSING]
    others = {"percent": 1, "count": 1, "layout": "rsna"}
    return {each: others.get(each, "a/b") for each in needed} | {name: "c/d"}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_paths_may_be_given_as_text(command: type[Command]) -> None:
    hints = get_type_hints(command)
    named = [field.name for field in dataclasses.fields(command) if "Path" in str(hints[field.name])]
    assert "out" in named
    for name in named:
        several = "tuple" in str(hints[name])
        options = command(**_given(command, name))
        assert getattr(options, name) == ((Path("c/d"),) if several else Path("c/d"))
        assert all(isinstance(path, Path) for path in options.inputs().values())
        if several:
            options = command(**_given(command, name) | {name: ["c", Path("d")]})
            assert getattr(options, name) == (Path("c"), Path("d"))
