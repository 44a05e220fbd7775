"""Commands built from the definitions of verbs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, Literal, cast

import typer
from typer.core import TyperCommand

from genolm.cli.failures import with_error_messages
from genolm.cli.help import description, example, model_names, with_option_names
from genolm.cli.presentation import Invocation, Presented, Switch
from genolm.parameters import Kind, Parameter, Verb

_CONTEXT = inspect.Parameter("typer_context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
_TYPES: Mapping[Kind, type] = {"text": str, "path": Path, "integer": int, "number": float, "flag": bool}


def add_command(app: typer.Typer, verb: Verb, presented: Presented) -> None:
    """Add the command of a verb to an application or a group."""
    command = with_error_messages(_function(verb, presented), resumable=presented.resumable)
    settings = {"help": description(verb), "epilog": example(verb), "cls": _command_class(verb)}
    app.command(verb.name.rpartition(" ")[2], **settings)(command)  # type: ignore[arg-type]


def _function(verb: Verb, presented: Presented) -> Callable[..., None]:
    """Return the function that typer calls; its signature has the parameters of the verb and of its presentation."""

    def command(**values: Any) -> None:
        context = values.pop(_CONTEXT.name)
        switches = {one.name: values.pop(one.name) for one in presented.options}
        presented.show(Invocation(verb, arguments_of(verb, _given(values, context)), **switches))

    parameters = [
        _CONTEXT,
        *(_parameter(one, verb) for one in verb.parameters),
        *(_switch(one) for one in presented.options),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__name__ = verb.name.replace(" ", "_")
    return command


def _given(values: Mapping[str, Any], context: typer.Context) -> dict[str, Any]:
    """Return the values that are on the command line; the function knows the defaults of the others."""
    sources = {name: context.get_parameter_source(name) for name in values}
    return {name: value for name, value in values.items() if getattr(sources[name], "name", "") != "DEFAULT"}


def arguments_of(verb: Verb, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the verb's function: without lists that are empty, and a single input as itself."""
    arguments = {}
    for parameter in verb.parameters:
        if parameter.name not in values:
            continue
        value: Any = values[parameter.name]
        if parameter.several and not value:
            continue
        single = parameter.several and parameter.positional and len(value) == 1
        arguments[parameter.name] = value[0] if single else value
    return arguments


def _parameter(parameter: Parameter, verb: Verb) -> inspect.Parameter:
    settings: dict[str, Any] = {
        "help": with_option_names(parameter.help, verb),
        "callback": _checked(parameter),
        "metavar": parameter.shown or None,
        "autocompletion": model_names if parameter.completes == "model" else None,
    }
    info = (
        typer.Argument(**settings, show_default=False)
        if parameter.positional
        else typer.Option(*_forms(parameter), **settings)
    )
    if parameter.kind == "integer" and parameter.choices:
        info.parser = _number_or_text
    annotation = Annotated[_type(parameter), info]  # type: ignore[valid-type]
    default = inspect.Parameter.empty if parameter.required else _default(parameter)
    return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _default(parameter: Parameter) -> object:
    return [parameter.default] if parameter.several and parameter.default is not None else parameter.default


def _forms(parameter: Parameter) -> list[str]:
    if parameter.kind == "flag":
        no = f"/--no-{parameter.option[2:]}" if parameter.switchable else ""
        return [parameter.option + no]
    return [parameter.option, *([parameter.short] if parameter.short else [])]


def _type(parameter: Parameter) -> Any:
    kind: Any = _TYPES[parameter.kind]
    if parameter.choices:
        kind = str if parameter.kind == "integer" else cast(Any, Literal)[parameter.choices]
    if parameter.several:
        kind = GenericAlias(list, (kind,))
    return kind if parameter.required else kind | None


def _number_or_text(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _checked(parameter: Parameter) -> Callable[[Any], Any] | None:
    """Return an option callback that rejects invalid numbers; the message repeats the number."""
    if parameter.kind not in ("integer", "number"):
        return None

    def check(value: Any) -> Any:
        if value is not None and (problem := parameter.problem(value)):
            raise typer.BadParameter(f"{problem}, not {value}")
        return value

    return check


def _switch(switch: Switch) -> inspect.Parameter:
    annotation = Annotated[bool, typer.Option(*switch.forms, help=switch.help)]
    return inspect.Parameter(switch.name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)


def _command_class(verb: Verb) -> type[TyperCommand]:
    """Return the class of the command: positional parameters that an option replaces are omitted with that option."""
    if not any(parameter.replaced_by for parameter in verb.parameters):
        return TyperCommand
    return type("ReplacingCommand", (_ReplacingCommand,), {"verb": verb})


class _ReplacingCommand(TyperCommand):
    """Command with an option that replaces parameters, which are required without it."""

    verb: Verb

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse words; with the option, the parameters that it replaces must be omitted."""
        given = {word.partition("=")[0] for word in args[: args.index("--") if "--" in args else None]}
        options = {one.name: one.option for one in self.verb.parameters}
        replaced = [one for one in self.verb.parameters if one.replaced_by and options[one.replaced_by] in given]
        positional = [one for one in replaced if one.positional]
        ctx.meta[_REPLACED] = {one.name for one in positional}
        ctx.allow_extra_args = bool(positional)
        rest = super().parse_args(ctx, args)
        options_too = [one.option for one in replaced if not one.positional and ctx.params[one.name]]
        if names := [one.shown for one in positional if rest] + options_too:
            ctx.fail(f"{options[replaced[0].replaced_by]} is given instead of {' and '.join(names)}")
        if not replaced and not ctx.resilient_parsing:  # as it is for shell completion
            self._require(ctx)
        return rest

    def _require(self, ctx: Any) -> None:
        """Fail if a parameter is missing that is required unless the option is given."""
        for one in self.verb.parameters:
            if one.replaced_by and not ctx.params[one.name]:
                missing = f"argument '{one.shown}'" if one.positional else f"option '{one.option}'"
                ctx.fail(f"Missing {missing}.")

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters without the positional ones that are replaced."""
        return [one for one in super().get_params(ctx) if one.name not in ctx.meta.get(_REPLACED, ())]


_REPLACED = "genolm.replaced"
