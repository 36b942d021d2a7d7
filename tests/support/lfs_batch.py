#!/usr/bin/python3
"""The LFS Batch API as a CGI program over a directory of objects (support/lfs_store.h)."""

import json
import os
import sys
import time


def describe(directory, behaviour, own, asked):
    answer = {"oid": asked["oid"], "size": asked["size"]}
    if not os.path.exists(os.path.join(directory, "objects", asked["oid"])):
        answer["error"] = {"code": 404, "message": "Object does not exist"}
        return answer
    download = {"href": behaviour.get("base", own) + asked["oid"]}
    for name in ("header", "expires_in", "expires_at"):
        if name in behaviour:
            download[name] = behaviour[name]
    if "authenticated" in behaviour:
        answer["authenticated"] = behaviour["authenticated"]
    answer["actions"] = {"download": download}
    return answer


def main():
    directory = os.environ["LFS_DIRECTORY"]
    with open(os.path.join(directory, "behaviour.json"), encoding="utf-8") as file:
        behaviour = json.load(file)
    question = json.loads(sys.stdin.buffer.read(int(os.environ["CONTENT_LENGTH"])))
    assert question["operation"] == "download" and "basic" in question["transfers"]
    for name in ("HTTP_ACCEPT", "CONTENT_TYPE"):
        assert os.environ[name].startswith("application/vnd.git-lfs+json"), name
    oids = [one["oid"] for one in question["objects"]]
    with open(os.path.join(directory, "questions"), "a", encoding="utf-8") as file:
        file.write(os.environ.get("HTTP_AUTHORIZATION", "") + "\t" + " ".join(oids) + "\n")
    time.sleep(behaviour.get("delay", 0))
    own = os.environ["LFS_OWN"]
    objects = [describe(directory, behaviour, own, one) for one in question["objects"]]
    body = behaviour.get("body", json.dumps({"transfer": "basic", "objects": objects}))
    print(f"Status: {behaviour.get('status', 200)}\r\nContent-Type: application/vnd.git-lfs+json\r\n")
    print(body)


main()
