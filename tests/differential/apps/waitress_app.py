"""waitress with an application that records. usage: waitress_app.py PORT LOG"""
import sys

import waitress
import waitress.task

import record

log = record.Record(sys.argv[2])
environment = waitress.task.WSGITask.get_environment
refuse = waitress.task.ErrorTask.execute


def with_raw_target(task):
    """waitress tells an application only the decoded path."""
    environ = environment(task)
    environ["RAW_URI"] = task.request.first_line.split(b" ")[1].decode("latin-1")
    return environ


def refused(task):
    log.write(port=int(task.channel.addr[1]), status=int(task.request.error.code))
    refuse(task)


waitress.task.WSGITask.get_environment = with_raw_target
waitress.task.ErrorTask.execute = refused
waitress.serve(record.wsgi(log), listen="127.0.0.1:" + sys.argv[1], threads=8, _quiet=True)
