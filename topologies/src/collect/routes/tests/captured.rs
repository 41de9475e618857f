//! Requests that real SDKs sent, as they came over the wire; `tests/sdk/capture` makes them anew.
