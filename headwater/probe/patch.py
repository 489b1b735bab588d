"""MPD patches applied by an XPath engine of somebody else (ISO/IEC 23009-1 Annex P, RFC 5261)."""

import copy

from lxml import etree

from headwater.probe.mpd import NS, Element

PATCH_TYPE = "application/dash-patch+xml"
PATCH_SPACE = "mpd-patch"
MAX_OPERATIONS = 20_000


class BadPatch(ValueError):
    """The patch does not fit the MPD; the text says why."""


def apply(mpd: Element, patch: Element) -> Element:
    """A patched copy of the MPD's root. Raises BadPatch."""
    if len(patch) > MAX_OPERATIONS:
        raise BadPatch(f"more than {MAX_OPERATIONS} operations")
    root = copy.deepcopy(mpd)
    for operation in patch:
        name = etree.QName(operation).localname
        found, attribute = _target(root, operation)
        if name == "add":
            _add(found, operation)
        elif name == "replace":
            _replace(found, attribute, operation)
        elif name == "remove":
            _remove(found, attribute)
        else:
            raise BadPatch(f"unknown operation {name}")
    return root


def _target(root: Element, operation: Element) -> tuple[Element, str]:
    """The selected element, and the attribute's name when the selector ends in one."""
    selector = operation.get("sel", "")
    spaces = {k or "mpd": v for k, v in operation.nsmap.items()}
    spaces["mpd"] = "urn:mpeg:dash:schema:mpd:2011"
    path, at, attribute = selector.rpartition("/@")
    if not at:
        path, attribute = selector, ""
    try:
        found = etree.ElementTree(root).xpath(_qualified(path), namespaces=spaces)
    except etree.XPathError as error:
        raise BadPatch(f"{selector}: {error}") from None
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], Element):
        count = len(found) if isinstance(found, list) else "no"
        raise BadPatch(f"{selector} selects {count} nodes, not one element")
    return found[0], attribute


def _qualified(path: str) -> str:
    """Unprefixed steps are in the default namespace, which XPath 1.0 cannot say."""
    steps = []
    for step in path.split("/"):
        name = step.partition("[")[0]
        plain = name and ":" not in name and name not in (".", "..", "*") and name[0].isalpha()
        steps.append(f"mpd:{step}" if plain and "(" not in name else step)
    return "/".join(steps)


def _children(operation: Element) -> list[Element]:
    return [_renamed(child) for child in operation]


def _renamed(node: Element) -> Element:
    """The same element in the MPD's namespace when it is in the patch's, or in none.

    Built anew: a moved element would keep the patch's default namespace declaration.
    """
    name = etree.QName(node)
    ours = name.namespace in (None, "") or PATCH_SPACE in str(name.namespace)
    clone = etree.Element(NS + name.localname if ours else node.tag, dict(node.attrib))
    clone.text = node.text
    for child in node.iterchildren("*"):
        copied = _renamed(child)
        copied.tail = child.tail
        clone.append(copied)
    return clone


def _add(target: Element, operation: Element) -> None:
    where = operation.get("pos")
    named = operation.get("type", "")
    if named.startswith("@"):
        target.set(named[1:], (operation.text or "").strip())
        return
    children = _children(operation)
    parent = target.getparent()
    if where in ("before", "after"):
        if parent is None:
            raise BadPatch("nothing stands beside the root")
        at = parent.index(target) + (where == "after")
        parent[at:at] = children
    elif where == "prepend":
        target[0:0] = children
    else:
        target.extend(children)
        if not children and operation.text and operation.text.strip():
            target.text = (target.text or "") + operation.text.strip()


def _replace(target: Element, attribute: str, operation: Element) -> None:
    if attribute:
        target.set(attribute, (operation.text or "").strip())
        return
    children = _children(operation)
    parent = target.getparent()
    if len(children) != 1 or parent is None:
        raise BadPatch("replace holds exactly one element, for a node below the root")
    children[0].tail = target.tail
    parent.replace(target, children[0])


def _remove(target: Element, attribute: str) -> None:
    if attribute:
        if attribute not in target.attrib:
            raise BadPatch(f"there is no attribute {attribute}")
        del target.attrib[attribute]
        return
    parent = target.getparent()
    if parent is None:
        raise BadPatch("the root cannot be removed")
    previous = target.getprevious()
    tail = target.tail or ""
    if previous is not None:
        previous.tail = (previous.tail or "") + tail
    parent.remove(target)
