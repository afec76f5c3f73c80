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
        f"two: rtsp://a:{SECRET}@h/1 and rtsp://b:{SECRET}@h/2",
    ],
)
def test_no_secret_survives(text):
    assert SECRET not in redact(text)


@pytest.mark.parametrize(
    "text", ["rtsp://camera/ch1", "out.mp4", "user@host", "http://h/v?channel=1", "a@b rtsp://h/x"]
)
def test_the_rest_stays(text):
    assert redact(text) == text


@given(st.text(st.characters(exclude_characters=" '\"<>", exclude_categories=["C", "Z"]), min_size=4))
def test_random_passwords_do_not_survive(password):
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
        ("rtsp://10.0.0.7:554/ch1", "rtsp://10.0.0.7:554/ch1"),
        ("videos/a@b.mp4", "videos/a@b.mp4"),
        ("C:\\videos\\a@b.mp4", "C:\\videos\\a@b.mp4"),
    ],
)
def test_an_address_without_its_credentials(address, shown):
    assert redact_address(address) == shown


@given(st.text(max_size=20))
def test_no_password_survives_in_an_address(password):
    assert redact_address(f"rtsp://user:{password}{SECRET}@host/x") == "rtsp://***@host/x"
