from converge import Run, blueprint


@blueprint("service", "a service that must run")
def service(r: Run) -> None:
    r.service("cron", state="running", enable=True)
