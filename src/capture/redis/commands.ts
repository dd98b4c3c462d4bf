/** Where a command's first key stands among its words; 0: it has none that is looked at. */
export type KeyPlace = number | 'match' | 'streams';

const AT_1 = `APPEND BITCOUNT BITFIELD BITFIELD_RO BITPOS BLMOVE BLPOP BRPOP BRPOPLPUSH BZPOPMAX BZPOPMIN COPY DECR DECRBY
DEL DUMP EXISTS EXPIRE EXPIREAT EXPIRETIME GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER
GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GEOSEARCHSTORE GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HEXISTS HEXPIRE
HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE
HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT KEYS LCS
LINDEX LINSERT LLEN LMOVE LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MGET MOVE MSET MSETNX PERSIST PEXPIRE PEXPIREAT
PEXPIRETIME PFADD PFCOUNT PFMERGE PSETEX PTTL PUBLISH RENAME RENAMENX RESTORE RESTORE-ASKING RPOP RPOPLPUSH RPUSH RPUSHX
SADD SCARD SDIFF SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTER SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SORT
SORT_RO SPOP SPUBLISH SRANDMEMBER SREM SSCAN STRLEN SUBSTR SUNION SUNIONSTORE TOUCH TTL TYPE UNLINK WATCH XACK XADD
XAUTOCLAIM XCLAIM XDEL XLEN XPENDING XRANGE XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFFSTORE ZINCRBY ZINTERSTORE
ZLEXCOUNT ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX
ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNIONSTORE`;
const AT_2 = 'BITOP LMPOP MEMORY OBJECT PFDEBUG SINTERCARD XGROUP XINFO ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION';
const AT_3 = 'BLMPOP BZMPOP EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO MIGRATE';
const NONE = `ACL ASKING AUTH BGREWRITEAOF BGSAVE CLIENT CLUSTER COMMAND CONFIG DBSIZE DEBUG DISCARD ECHO EXEC FAILOVER
FLUSHALL FLUSHDB FUNCTION HELLO INFO LASTSAVE LATENCY LOLWUT MODULE MONITOR MULTI PING PSUBSCRIBE PSYNC PUBSUB
PUNSUBSCRIBE QUIT RANDOMKEY READONLY READWRITE REPLCONF REPLICAOF RESET ROLE SAVE SCRIPT SELECT SENTINEL SHUTDOWN SLAVEOF
SLOWLOG SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SWAPDB SYNC TIME UNSUBSCRIBE UNWATCH WAIT WAITAOF`;

/** Commands whose first word says which; `INFO commandstats` counts each by itself, as `config|get`. */
const CONTAINERS: Readonly<Record<string, string>> = {
  ACL: 'CAT DELUSER DRYRUN GENPASS GETUSER HELP LIST LOAD LOG SAVE SETUSER USERS WHOAMI',
  CLIENT:
    'CACHING GETNAME GETREDIR HELP ID INFO KILL LIST NO-EVICT NO-TOUCH PAUSE REPLY SETINFO SETNAME TRACKING TRACKINGINFO UNBLOCK UNPAUSE',
  CLUSTER:
    'ADDSLOTS ADDSLOTSRANGE BUMPEPOCH COUNT-FAILURE-REPORTS COUNTKEYSINSLOT DELSLOTS DELSLOTSRANGE FAILOVER FLUSHSLOTS FORGET GETKEYSINSLOT HELP INFO KEYSLOT LINKS MEET MYID MYSHARDID NODES REPLICAS REPLICATE RESET SAVECONFIG SET-CONFIG-EPOCH SETSLOT SHARDS SLAVES SLOTS',
  COMMAND: 'COUNT DOCS GETKEYS GETKEYSANDFLAGS HELP INFO LIST',
  CONFIG: 'GET HELP RESETSTAT REWRITE SET',
  FUNCTION: 'DELETE DUMP FLUSH HELP KILL LIST LOAD RESTORE STATS',
  LATENCY: 'DOCTOR GRAPH HELP HISTOGRAM HISTORY LATEST RESET',
  MEMORY: 'DOCTOR HELP MALLOC-STATS PURGE STATS USAGE',
  MODULE: 'HELP LIST LOAD LOADEX UNLOAD',
  OBJECT: 'ENCODING FREQ HELP IDLETIME REFCOUNT',
  PUBSUB: 'CHANNELS HELP NUMPAT NUMSUB SHARDCHANNELS SHARDNUMSUB',
  SCRIPT: 'DEBUG EXISTS FLUSH HELP KILL LOAD',
  SENTINEL:
    'CKQUORUM CONFIG DEBUG FAILOVER FLUSHCONFIG GET-MASTER-ADDR-BY-NAME HELP INFO-CACHE IS-MASTER-DOWN-BY-ADDR MASTER MASTERS MONITOR MYID PENDING-SCRIPTS REMOVE REPLICAS RESET SENTINELS SET SIMULATE-FAILURE SLAVES',
  SLOWLOG: 'GET HELP LEN RESET',
  XGROUP: 'CREATE CREATECONSUMER DELCONSUMER DESTROY HELP SETID',
  XINFO: 'CONSUMERS GROUPS HELP STREAM',
};

const BLOCKING = new Set(
  'BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF'.split(' '),
);

const words = (text: string): string[] => text.split(/\s+/);

/**
 * Those whose names mode.ts and connection.ts compare, and MULTI, which opens a transaction: while one is open, transaction.ts
 * looks at all.
 * What is added there is added here.
 */
const STEERING = new Set(
  words(`SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE PUBLISH SPUBLISH MONITOR SYNC PSYNC
CLIENT|REPLY MULTI RESET`),
);

export interface CommandKind {
  readonly id: number;
  /** In capitals; `CONFIG|GET` where the first word says which. */
  readonly name: string;
  readonly key: KeyPlace;
  /** Waits by its nature: its time says nothing of the server. */
  readonly blocking: boolean;
  /** Says how what follows on its connection is to be read, or counted. Of most nothing follows, and no name is compared. */
  readonly steering: boolean;
  readonly known: boolean;
  /** By their first word. */
  readonly parts?: CommandNames;
}

/** So many names that are none of Redis's own are told apart; modules have some hundreds. */
const MOST_UNKNOWN = 1000;

/** Names → kinds, from the bytes as they came, in whatever case. */
class CommandNames {
  readonly #table: (CommandKind | undefined)[] = new Array(1024);
  #held = 0;

  /** The kind of this name; undefined where it is not known. */
  find(bytes: Uint8Array, at: number, length: number): CommandKind | undefined {
    const mask = this.#table.length - 1;
    let slot = hash(bytes, at, length) & mask;
    for (;;) {
      const kind = this.#table[slot];
      if (!kind || is(kind.name, bytes, at, length)) return kind;
      slot = (slot + 1) & mask;
    }
  }

  add(name: string, kind: CommandKind): void {
    const bytes = Buffer.from(name);
    const mask = this.#table.length - 1;
    let slot = hash(bytes, 0, bytes.length) & mask;
    while (this.#table[slot]) slot = (slot + 1) & mask;
    this.#table[slot] = kind;
    this.#held += 1;
    if (4 * this.#held > 3 * this.#table.length) this.#widen();
  }

  #widen(): void {
    const kinds = this.#table.filter((kind) => kind !== undefined);
    this.#table.fill(undefined);
    this.#table.length *= 2;
    this.#held = 0;
    for (const kind of kinds) this.add(nameOf(kind), kind);
  }
}

/** What a kind is found by: behind the bar where there is one. */
const nameOf = (kind: CommandKind): string => kind.name.slice(kind.name.indexOf('|') + 1);

/** All commands that were seen or are Redis's own. */
export class Commands {
  readonly kinds: CommandKind[] = [];
  readonly #names = new CommandNames();
  #unknown = 0;
  readonly #others: CommandKind;

  constructor() {
    this.#others = this.#kind('(others)', 0, false);
    const places: [string, KeyPlace][] = [
      [AT_1, 1],
      [AT_2, 2],
      [AT_3, 3],
      ['SCAN', 'match'],
      ['XREAD XREADGROUP', 'streams'],
      [NONE, 0],
    ];
    for (const [list, place] of places)
      for (const name of words(list)) this.#names.add(name, this.#kind(name, place, true));
  }

  /** Whether Redis itself has a command of this name. */
  isKnown(bytes: Uint8Array, at: number, length: number): boolean {
    return this.#names.find(bytes, at, length)?.known === true;
  }

  kindOf(bytes: Uint8Array, at: number, length: number): CommandKind {
    const found = this.#names.find(bytes, at, length);
    if (found) return found;
    if (this.#unknown >= MOST_UNKNOWN || !isName(bytes, at, length)) return this.#others;
    this.#unknown += 1;
    const name = Buffer.from(bytes.subarray(at, at + length))
      .toString('latin1')
      .toUpperCase();
    const kind = this.#kind(name, 0, false);
    this.#names.add(name, kind);
    return kind;
  }

  #kind(name: string, key: KeyPlace, known: boolean): CommandKind {
    const id = this.kinds.length;
    const parts = known && CONTAINERS[name] ? new CommandNames() : undefined;
    const kind = {
      id,
      name,
      key,
      known,
      blocking: BLOCKING.has(name),
      steering: STEERING.has(name),
      ...(parts && { parts }),
    };
    this.kinds.push(kind);
    if (parts) for (const part of words(CONTAINERS[name]!)) parts.add(part, this.#part(kind, part));
    return kind;
  }

  #part({ name: first, key }: CommandKind, part: string): CommandKind {
    const name = `${first}|${part}`;
    const kind = {
      id: this.kinds.length,
      name,
      // MEMORY has a key in USAGE alone; the others in all but HELP, which has no more words.
      key: first === 'MEMORY' && part !== 'USAGE' ? 0 : key,
      blocking: false,
      steering: STEERING.has(name),
      known: true,
    };
    this.kinds.push(kind);
    return kind;
  }
}

const isName = (bytes: Uint8Array, at: number, length: number): boolean => {
  if (length === 0 || length > 40) return false;
  for (let from = at; from < at + length; from += 1) {
    const byte = bytes[from]! | 32;
    const letter = (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57);
    if (!letter && bytes[from] !== 46 && bytes[from] !== 45 && bytes[from] !== 95) return false;
  }
  return true;
};

const upper = (byte: number): number => (byte >= 97 && byte <= 122 ? byte - 32 : byte);

function hash(bytes: Uint8Array, at: number, length: number): number {
  let mixed = length;
  for (let from = at; from < at + length; from += 1) mixed = (Math.imul(mixed, 31) + upper(bytes[from]!)) | 0;
  return mixed ^ (mixed >>> 15);
}

/** Whether a kind's name, behind its bar, is this one. */
function is(name: string, bytes: Uint8Array, at: number, length: number): boolean {
  const skip = name.length - length;
  if (skip < 0 || (skip > 0 && name.charCodeAt(skip - 1) !== 124)) return false;
  for (let index = 0; index < length; index += 1)
    if (name.charCodeAt(skip + index) !== upper(bytes[at + index]!)) return false;
  return true;
}
