"""A tool server of another stack: FastAPI on uvicorn, on a port that it prints."""
import fastapi
import uvicorn

app = fastapi.FastAPI()


@app.post("/tool")
def tool(call: dict):
    return {"id": call["id"], "type": "tool_result",
            "result": {"ok": True, "echo": call["arguments"]}}


config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
server = uvicorn.Server(config)
listener = config.bind_socket()
print("Listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
server.run(sockets=[listener])
