"""Values of Arrow as texts that lose nothing."""
import datetime
import decimal
import struct

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)


def text_of(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        # a local time as if its place were at UTC
        return str(((value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)) - EPOCH) // MICROSECOND)
    if isinstance(value, datetime.date):
        return str(value.toordinal() - 719163)
    if isinstance(value, datetime.time):
        return str(((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000)
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
