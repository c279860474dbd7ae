"""Which expressions are sets, as far as annotations, displays and calls tell.

Owns a small inference over syntax trees. Must not know why anybody asks. It errs on the side
of silence: what it cannot tell is no set.

What is known of a value is its *depth*: the number of containers around a set. So 0 is a set,
1 is a list of sets or a dictionary whose values are sets, and None is anything else.
"""

import ast
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from tests.house.source import Source

_SET_TYPES: Final = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
_WRAPPER_TYPES: Final = frozenset({"Final", "ClassVar", "Optional", "Annotated"})
_CONTAINER_TYPES: Final = frozenset(
    {"list", "dict", "tuple", "deque", "defaultdict"}
    | {"Sequence", "Mapping", "MutableMapping", "Iterable", "Iterator", "Collection"}
)
_SET_METHODS: Final = frozenset(
    {"union", "intersection", "difference", "symmetric_difference", "copy"}
)
_LOOKUP_METHODS: Final = frozenset({"get", "pop", "popleft", "setdefault"})
_VIEW_METHODS: Final = frozenset({"keys", "items"})
_SET_OPERATORS: Final = (ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub)
_PASSES: Final = 2
"""Passes over a scope, so that a name may be used above the line that tells what it is."""

Depth = int | None
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Declared(msgspec.Struct, frozen=True):
    """What one module, or a whole package, says of its names.

    Attributes:
        aliases: names of types, with the depth of their values.
        attributes: names behind a dot, with the depth each class gives them.
        returns: names of functions, with the depth of what each returns.
    """

    aliases: dict[str, int] = {}
    attributes: dict[str, list[Depth]] = {}
    returns: dict[str, list[Depth]] = {}


def last_name(node: ast.expr | None) -> str:
    """Return the identifier that `a.b.c` or `c` ends in, or the empty string."""
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def annotated_depth(annotation: ast.expr | None, aliases: Mapping[str, int]) -> Depth:
    """Return the depth of the values that an annotation allows."""
    match annotation:
        case ast.Constant(value=str(text)):
            return annotated_depth(ast.parse(text, mode="eval").body, aliases)
        case ast.BinOp(left, ast.BitOr(), right):
            depth = annotated_depth(left, aliases)
            return annotated_depth(right, aliases) if depth is None else depth
        case ast.Subscript(value, parameters):
            return _generic_depth(last_name(value), parameters, aliases)
        case ast.Name() | ast.Attribute():
            name = last_name(annotation)
            return 0 if name in _SET_TYPES else aliases.get(name)
        case _:
            return None


def _generic_depth(name: str, parameters: ast.expr, aliases: Mapping[str, int]) -> Depth:
    if name in _SET_TYPES:
        return 0
    several = parameters.elts if isinstance(parameters, ast.Tuple) else [parameters]
    if name in _WRAPPER_TYPES:
        return annotated_depth(several[0], aliases)
    if name not in _CONTAINER_TYPES:
        return None
    inner = [annotated_depth(parameter, aliases) for parameter in several]
    known = [depth for depth in inner if depth is not None]
    return known[-1] + 1 if known else None


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below `scope`, but not those of functions within it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, Function | ast.Lambda):
            yield from own_nodes(node)


class Inference:
    """Tells the depth of expressions in one scope.

    Names and attributes that the module declares go by that; others go by the package.
    """

    def __init__(self, module: Declared, package: Declared) -> None:
        self._module = module
        self._package = package
        self._names: dict[str, Depth] = {}

    def inside(self, scope: Function | ast.Lambda | ast.Module) -> "Inference":
        """Return the inference for a scope within this one."""
        inner = Inference(self._module, self._package)
        inner._names = dict(self._names)
        if not isinstance(scope, ast.Module):
            inner._bind_parameters(scope.args)
        for _ in range(_PASSES):
            for node in own_nodes(scope):
                inner._bind(node)
        return inner

    def depth(self, node: ast.expr | None) -> Depth:
        """Return the depth of an expression."""
        match node:
            case ast.Set() | ast.SetComp():
                return 0
            case ast.Name(name):
                return self._names.get(name)
            case ast.Attribute(attr=name):
                return _agreed(name, self._module.attributes, self._package.attributes)
            case ast.Call():
                return self._call_depth(node)
            case ast.BinOp(left, operator, right) if isinstance(operator, _SET_OPERATORS):
                return 0 if self._is_setlike(left) or self._is_setlike(right) else None
            case ast.BoolOp(values=values):
                return self._first_known(values)
            case ast.IfExp(body=body, orelse=orelse):
                return self._first_known((body, orelse))
            case ast.NamedExpr(value=value):
                return self.depth(value)
            case ast.Subscript(value, index):
                depth = self.depth(value)
                return depth if isinstance(index, ast.Slice) else _element(depth)
            case _:
                return None

    def _is_setlike(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(attr=name), args=[]) if name in _VIEW_METHODS:
                return True
            case _:
                return self.depth(node) == 0

    def _first_known(self, nodes: Iterable[ast.expr]) -> Depth:
        return next((depth for node in nodes if (depth := self.depth(node)) is not None), None)

    def _call_depth(self, call: ast.Call) -> Depth:
        match call.func:
            case ast.Name("set" | "frozenset"):
                return 0
            case ast.Name("cast") if call.args:
                return annotated_depth(call.args[0], self._module.aliases)
            case ast.Attribute(value=owner, attr=name):
                depth = self.depth(owner)
                if depth == 0 and name in _SET_METHODS:
                    return 0
                if depth is not None and name == "values":
                    return depth
                if depth is not None and name in _LOOKUP_METHODS:
                    return _element(depth)
        return _agreed(last_name(call.func), self._module.returns, self._package.returns)

    def _bind_parameters(self, parameters: ast.arguments) -> None:
        for parameter in (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs):
            self._names[parameter.arg] = self._annotated(parameter.annotation)

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.AnnAssign(target=ast.Name(name), annotation=annotation):
                self._names[name] = self._annotated(annotation)
            case (
                ast.Assign(targets=[ast.Name(name)], value=value)
                | ast.NamedExpr(target=ast.Name(name), value=value)
            ):
                self._bind_value(name, self.depth(value))
            case (
                ast.For(target=target, iter=iterable)
                | ast.comprehension(target=target, iter=iterable)
            ):
                self._bind_loop(target, iterable)

    def _bind_loop(self, target: ast.expr, iterable: ast.expr) -> None:
        match target, iterable:
            case ast.Name(name), _:
                self._bind_value(name, _element(self.depth(iterable)))
            case (
                ast.Tuple(elts=[_, ast.Name(name)]),
                ast.Call(func=ast.Attribute(value=owner, attr="items")),
            ):
                self._bind_value(name, _element(self.depth(owner)))

    def _bind_value(self, name: str, depth: Depth) -> None:
        if depth is not None:
            self._names[name] = depth

    def _annotated(self, annotation: ast.expr | None) -> Depth:
        return annotated_depth(annotation, self._package.aliases | self._module.aliases)


def _element(depth: Depth) -> Depth:
    return depth - 1 if depth else None


def _agreed(
    name: str, module: Mapping[str, list[Depth]], package: Mapping[str, list[Depth]]
) -> Depth:
    """Return the depth that all declarations of `name` agree upon, those of the module first."""
    depths = module.get(name) or package.get(name) or [None]
    return depths[0] if depths.count(depths[0]) == len(depths) else None


def declarations(module: Source) -> Declared:
    """Collect what one module declares."""
    declared = Declared()
    _declare_aliases(module.tree, declared)
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            depth = annotated_depth(node.returns, declared.aliases)
            is_property = any("property" in last_name(each) for each in node.decorator_list)
            table = declared.attributes if is_property else declared.returns
            table.setdefault(node.name, []).append(depth)
        elif isinstance(node, ast.ClassDef):
            _declare_class(node, declared)
    return declared


def _declare_aliases(tree: ast.Module, declared: Declared) -> None:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                depth = annotated_depth(value, declared.aliases)
            case ast.AnnAssign(target=ast.Name(name), annotation=kind, value=value):
                is_alias = last_name(kind) == "TypeAlias"
                depth = annotated_depth(value, declared.aliases) if is_alias else None
            case _:
                continue
        if depth is not None:
            declared.aliases[name] = depth


def _declare_class(node: ast.ClassDef, declared: Declared) -> None:
    annotated: dict[str, Depth] = {}
    for each in ast.walk(node):
        match each:
            case ast.AnnAssign(target=ast.Attribute(ast.Name("self"), name), annotation=kind):
                annotated[name] = annotated_depth(kind, declared.aliases)
            case ast.ClassDef(body=body):
                for field in body:
                    if isinstance(field, ast.AnnAssign):
                        name = last_name(field.target)
                        annotated[name] = annotated_depth(field.annotation, declared.aliases)
    for name, depth in annotated.items():
        declared.attributes.setdefault(name, []).append(depth)
    for method in node.body:
        if isinstance(method, Function):
            _declare_assigned(method, annotated, declared)


def _declare_assigned(method: Function, annotated: Container[str], declared: Declared) -> None:
    inference = Inference(declared, declared).inside(method)
    for node in ast.walk(method):
        match node:
            case ast.Assign(targets=[ast.Attribute(ast.Name("self"), name)], value=value) if (
                name not in annotated
            ):
                declared.attributes.setdefault(name, []).append(inference.depth(value))


def together(modules: Iterable[Declared]) -> Declared:
    """Join the declarations of the modules of one package."""
    package = Declared()
    for module in modules:
        package.aliases.update(module.aliases)
        for name, depths in module.attributes.items():
            package.attributes.setdefault(name, []).extend(depths)
        for name, depths in module.returns.items():
            package.returns.setdefault(name, []).extend(depths)
    return package
