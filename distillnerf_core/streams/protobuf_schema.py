"""Decodes protobuf messages with the schema that travels in an MCAP file; no generated code, no dependency."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DOUBLE, _FLOAT, _FIXED64_TYPE, _FIXED32_TYPE, _STRING, _MESSAGE, _BYTES_TYPE = 1, 2, 6, 7, 9, 11, 12
_SFIXED32_TYPE, _SFIXED64_TYPE = 15, 16
_SIZED = (_STRING, _MESSAGE, _BYTES_TYPE)
_REPEATED = 3
_PACKED_FORMATS = {
    _DOUBLE: "d",
    _FLOAT: "f",
    _FIXED64_TYPE: "Q",
    _FIXED32_TYPE: "I",
    _SFIXED32_TYPE: "i",
    _SFIXED64_TYPE: "q",
}


@dataclass(frozen=True)
class _Field:
    name: str
    repeated: bool
    kind: int
    type_name: str


class ProtobufSchema:
    """Reader of one message type.

    Args:
        descriptor_set: Serialised `google.protobuf.FileDescriptorSet`, as MCAP stores it.
        message_type: Full name, such as "foxglove.CompressedImage".

    Raises:
        ValueError: If the descriptor set is damaged or lacks the type.
    """

    def __init__(self, descriptor_set: bytes, message_type: str) -> None:
        self._types: dict[str, dict[int, _Field]] = {}
        for number, content in _records(descriptor_set):
            if number == 1:
                self._read_file(content)
        self._root = f".{message_type}"
        if self._root not in self._types:
            raise ValueError(f"the schema lacks {message_type}")

    def decode(self, data: bytes) -> dict[str, Any]:
        """Decodes a message to a dictionary of the fields that are set; repeated fields are lists.

        Raises:
            ValueError: If the data is damaged.
        """
        return self._decode(data, self._root)

    def _decode(self, data: bytes, type_name: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        fields = self._types.get(type_name, {})
        for number, content in _records(data):
            if number not in fields:
                continue
            field = fields[number]
            if field.repeated:
                values.setdefault(field.name, []).extend(self._many(field, content))
            else:
                values[field.name] = self._one(field, content)
        return values

    def _many(self, field: _Field, content: Any) -> list[Any]:
        if isinstance(content, bytes) and field.kind not in (*_PACKED_FORMATS, *_SIZED):
            return list(_varints(content))
        code = _PACKED_FORMATS.get(field.kind)
        if code is None or isinstance(content, int) or len(content) == struct.calcsize(code):
            return [self._one(field, content)]
        if len(content) % struct.calcsize(code):
            raise ValueError(f"packed field {field.name} is damaged")
        return list(struct.unpack(f"<{len(content) // struct.calcsize(code)}{code}", content))

    def _one(self, field: _Field, content: Any) -> Any:
        sized = field.kind in _PACKED_FORMATS or field.kind in _SIZED
        if sized == isinstance(content, int):
            raise ValueError(f"field {field.name} has the wrong wire type")
        if isinstance(content, int):
            return content - 2**64 if content >= 2**63 else content
        if field.kind in _PACKED_FORMATS:
            code = _PACKED_FORMATS[field.kind]
            if len(content) != struct.calcsize(code):
                raise ValueError(f"field {field.name} is damaged")
            return struct.unpack(f"<{code}", content)[0]
        if field.kind == _MESSAGE:
            return self._decode(content, field.type_name)
        return content.decode() if field.kind == _STRING else content

    def _read_file(self, content: bytes) -> None:
        package, messages = "", []
        for number, value in _records(content):
            if number == 2:
                package = value.decode()
            elif number == 4:
                messages.append(value)
        for message in messages:
            self._read_message(message, f".{package}" if package else "")

    def _read_message(self, content: bytes, scope: str) -> None:
        records = list(_records(content))
        name = f"{scope}.{next(value for number, value in records if number == 1).decode()}"
        self._types[name] = dict(_read_field(value) for number, value in records if number == 2)
        for number, value in records:
            if number == 3:
                self._read_message(value, name)


def _read_field(content: bytes) -> tuple[int, _Field]:
    values = dict(_records(content))
    type_name = values.get(6, b"").decode()
    return values[3], _Field(values[1].decode(), values.get(4) == _REPEATED, values.get(5, 0), type_name)


def _records(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yields (field number, integer or bytes); fixed-size numbers come as bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        wire = key & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            length, position = _varint(data, position)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire} at byte {position}")
        if position + length > len(data):
            raise ValueError("the message ends within a field")
        yield key >> 3, data[position : position + length]
        position += length


def _varints(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    raise ValueError("the message ends within a number")
