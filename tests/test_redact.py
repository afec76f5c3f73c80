"""No secret is left in redacted text, and other text is unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.redact import redact, redact_address

SECRET = "c4nary"


@pytest.mark.parametrize(
    "text",
    [
        f"rtsp://user:{SECRET}@10.0.0.7:554/ch1",
        f"rtsp://user:{SECRET}@@10.0.0.7/ch1",
        f"rtsp://user:{SECRET}:x@10.0.0.7/ch1",
        f"rtsp://user:a/{SECRET}@10.0.0.7/ch1",
        f"rtsp://user:{SECRET}#?&@10.0.0.7/ch1",
        f"rtsp://{SECRET}@10.0.0.7/ch1",
        f"rtsps://u:{SECRET}@[fe80::1]:322/x",
        f"[Errno 111] Connection refused: 'rtsp://u:{SECRET}@127.0.0.1:1/'",
        f"http://h/video?user=me&password={SECRET}&channel=1",
        f"http://h/video?auth_token={SECRET}",
        f"http://h/cgi?usr=a&pwd={SECRET}",
        f"http://h/video?user=a&pw={SECRET}",
        f"http://h/videostream.cgi?loginuse=a&loginpas={SECRET}",
        f"http://h/videostream.cgi?usr={SECRET}&paswd={SECRET}",
        f"http://h/video?PassWord={SECRET};x=1",
        f"http://h/live#token={SECRET}",
        f"http://h/video?user=me@example.com&password={SECRET}",
        f"http://h/video?user=me&password=a@{SECRET}",
        f"http://h:80/video?user=me&password={SECRET}@b",
        f"http://u:{SECRET}@h/video?password={SECRET}@{SECRET}",
        f"rtsp://h/user=a&password={SECRET}&channel=1&stream=0.sdp",
        f"rtsp://h:554/user=a_password={SECRET}_channel=1_stream=0.sdp?real_stream",
        f"rtsp://h/channel=1_stream=0_password={SECRET}.sdp",
        f"rtsp://h/user%3Da%26password%3D{SECRET}",
        f"rtsp://h/live/token={SECRET}/1",
        f"rtsp://h/cam/realmonitor?channel=1&authbasic={SECRET}",
        f"rtsp://user:a?pwd={SECRET}@h/ch1",
        f"http://proxy/stream.mp4?src=rtsp%3A%2F%2Fa%3A{SECRET}%4010.0.0.7%2Fch1",
        f"http://proxy/stream.mp4?src=rtsp://a:{SECRET}@10.0.0.7/ch1",
        f"no answer to DESCRIBE 10.0.0.7/user=a_password={SECRET}_channel=1.sdp",
        f"{'x' * 40}://a:{SECRET}@h/1",
        f"3rtsp://a:{SECRET}@h/1",
        f"two: rtsp://a:{SECRET}@h/1 and rtsp://b:{SECRET}@h/2",
    ],
)
def test_secrets_are_removed(text):
    assert SECRET not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://camera/ch1",
        "out.mp4",
        "user@host",
        "http://h/v?channel=1",
        "http://h:80/v?channel=1&size=a%40b",
        "a@b rtsp://h/x",
        "rtsp://h/cam/realmonitor?channel=1&subtype=0",
        "a/b passes=3",
        "num_keys=3",
    ],
)
def test_text_without_secrets_is_unchanged(text):
    assert redact(text) == text


@given(st.text(st.characters(exclude_characters=" '\"<>", exclude_categories=["C", "Z"]), min_size=4))
def test_random_passwords_are_removed(password):
    url = f"rtsp://user:{password}@camera.example:554/stream"
    assert redact(url) == "rtsp://***@camera.example:554/stream"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"rtsp://u:{SECRET}@10.0.0.7/ch1", "rtsp://***@10.0.0.7/ch1"),
        (f"rtsp://u:open {SECRET}@10.0.0.7/ch1", "rtsp://***@10.0.0.7/ch1"),
        (f"rtsp://u:'{SECRET}\"@10.0.0.7/ch1", "rtsp://***@10.0.0.7/ch1"),
        (f"u:{SECRET}@10.0.0.7/ch1", "***@10.0.0.7/ch1"),
        (f"u:a/{SECRET}@10.0.0.7:554/ch1", "***@10.0.0.7:554/ch1"),
        (f"http://h/video?pwd={SECRET}", "http://h/video?pwd=***"),
        (f"http://h/video?pwd=open '{SECRET}'&channel=1", "http://h/video?pwd=***&channel=1"),
        (f"rtsp://h:554/user=a&password={SECRET}&channel=1", "rtsp://h:554/user=***&password=***&channel=1"),
        (f"rtsp://h/user=a_password={SECRET}_channel=1.sdp", "rtsp://h/user=***"),
        (f"rtsp://[fe80::1]:554/live/token={SECRET}", "rtsp://[fe80::1]:554/live/token=***"),
        (f"rtsp://u:pass={SECRET}@h/ch1", "rtsp://***@h/ch1"),
        (f"http://h:80/video?user=me@example.com&pwd={SECRET}", "http://h/***"),
        (f"h/video?pwd=a@{SECRET}", "h/***"),
        ("rtsp://10.0.0.7:554/ch1", "rtsp://10.0.0.7:554/ch1"),
        ("videos/a@b.mp4", "videos/a@b.mp4"),
        ("C:\\videos\\a@b.mp4", "C:\\videos\\a@b.mp4"),
    ],
)
def test_credentials_are_removed_from_an_address(address, shown):
    assert redact_address(address) == shown


@given(st.text(max_size=20))
def test_random_passwords_are_removed_from_an_address(password):
    assert redact_address(f"rtsp://user:{password}{SECRET}@host/x") == "rtsp://***@host/x"
