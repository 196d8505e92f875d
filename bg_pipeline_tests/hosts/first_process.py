"""
The first process of a machine: it gives the machine its name, and leads a port of its loopback to another machine.

    python first_process.py NAME [PORT ADDRESS]

A key goes over http only to this machine, so the simulated vendor has to be reached as if it were here.
"""

import asyncio
import socket
import sys
from contextlib import suppress


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def lead(port: int, address: str) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    socket.sethostname(sys.argv[1])
    asyncio.run(lead(int(sys.argv[2]), sys.argv[3]) if len(sys.argv) > 2 else asyncio.Event().wait())
