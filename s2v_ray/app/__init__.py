"""The page: a picture and a sound to a video in a browser, a run, a data set. Needs gradio (the extra `app`)."""

import os

# Before gradio is imported, which reads them then: it reports nothing to anybody.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
