"""The application for gunicorn; where it records is in DIFFERENTIAL_LOG."""
import os

import record

application = record.wsgi(record.Record(os.environ["DIFFERENTIAL_LOG"]))
