/** Where a command's first key stands among its words; 0: it has none that is looked at. */
export type KeyPlace = number | 'match' | 'streams';

/*
 * The commands that Redis up to 8.4 and Valkey up to 9 list (`COMMAND`, src/commands/*.json), and the modules' own commands. Any
 * other word may be anything, even a password that was typed at a prompt, and is never kept.
 */
const AT_1 = `APPEND BITCOUNT BITFIELD BITFIELD_RO BITPOS BLMOVE BLPOP BRPOP BRPOPLPUSH BZPOPMAX BZPOPMIN COPY DECR DECRBY
DEL DELEX DELIFEQ DIGEST DUMP EXISTS EXPIRE EXPIREAT EXPIRETIME GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER
GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GEOSEARCHSTORE GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HEXISTS HEXPIRE
HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE
HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT KEYS LCS
LINDEX LINSERT LLEN LMOVE LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MGET MOVE MSET MSETNX PERSIST PEXPIRE PEXPIREAT
PEXPIRETIME PFADD PFCOUNT PFMERGE PSETEX PTTL PUBLISH RENAME RENAMENX RESTORE RESTORE-ASKING RPOP RPOPLPUSH RPUSH RPUSHX
SADD SCARD SDIFF SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTER SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SORT
SORT_RO SPOP SPUBLISH SRANDMEMBER SREM SSCAN STRLEN SUBSTR SUNION SUNIONSTORE TOUCH TTL TYPE UNLINK VADD VCARD VDIM
VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VRANGE VREM VSETATTR VSIM WATCH XACK XACKDEL XADD
XAUTOCLAIM XCFGSET XCLAIM XDEL XDELEX XLEN XPENDING XRANGE XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFFSTORE ZINCRBY ZINTERSTORE
ZLEXCOUNT ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX
ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNIONSTORE`;
const AT_2 =
  'BITOP LMPOP MEMORY MSETEX OBJECT PFDEBUG SINTERCARD XGROUP XINFO ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION';
const AT_3 = 'BLMPOP BZMPOP EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO MIGRATE';
const NONE = `ACL ASKING AUTH BGREWRITEAOF BGSAVE CLIENT CLUSTER COMMAND COMMANDLOG CONFIG DBSIZE DEBUG DISCARD ECHO EXEC FAILOVER
FLUSHALL FLUSHDB FUNCTION HELLO HOTKEYS INFO LASTSAVE LATENCY LOLWUT MODULE MONITOR MULTI PING PSUBSCRIBE PSYNC PUBSUB
PUNSUBSCRIBE QUIT RANDOMKEY READONLY READWRITE PFSELFTEST REPLCONF REPLICAOF RESET ROLE SAVE SCRIPT SELECT SENTINEL SHUTDOWN SLAVEOF
SLOWLOG SSUBSCRIBE STRALGO SUBSCRIBE SUNSUBSCRIBE SWAPDB SYNC TIME UNSUBSCRIBE UNWATCH WAIT WAITAOF`;
const MODULES_AT_1 = `JSON.ARRAPPEND JSON.ARRINDEX JSON.ARRINSERT JSON.ARRLEN JSON.ARRPOP JSON.ARRTRIM JSON.CLEAR JSON.DEL
JSON.FORGET JSON.GET JSON.MERGE JSON.MGET JSON.MSET JSON.NUMINCRBY JSON.NUMMULTBY JSON.NUMPOWBY JSON.OBJKEYS JSON.OBJLEN
JSON.RESP JSON.SET JSON.STRAPPEND JSON.STRLEN JSON.TOGGLE JSON.TYPE
TS.ADD TS.ALTER TS.CREATE TS.CREATERULE TS.DECRBY TS.DEL TS.DELETERULE TS.GET TS.INCRBY TS.INFO TS.MADD TS.RANGE TS.REVRANGE
BF.ADD BF.CARD BF.EXISTS BF.INFO BF.INSERT BF.LOAD BF.LOADCHUNK BF.MADD BF.MEXISTS BF.RESERVE BF.SCANDUMP
CF.ADD CF.ADDNX CF.COMPACT CF.COUNT CF.DEL CF.EXISTS CF.INFO CF.INSERT CF.INSERTNX CF.LOADCHUNK CF.MEXISTS CF.RESERVE
CF.SCANDUMP CMS.INCRBY CMS.INFO CMS.INITBYDIM CMS.INITBYPROB CMS.MERGE CMS.QUERY
TOPK.ADD TOPK.COUNT TOPK.INCRBY TOPK.INFO TOPK.LIST TOPK.QUERY TOPK.RESERVE
TDIGEST.ADD TDIGEST.BYRANK TDIGEST.BYREVRANK TDIGEST.CDF TDIGEST.CREATE TDIGEST.INFO TDIGEST.MAX TDIGEST.MERGE TDIGEST.MIN
TDIGEST.QUANTILE TDIGEST.RANK TDIGEST.RESET TDIGEST.REVRANK TDIGEST.TRIMMED_MEAN
GRAPH.BULK GRAPH.CONSTRAINT GRAPH.DELETE GRAPH.EXPLAIN GRAPH.PROFILE GRAPH.QUERY GRAPH.RO_QUERY GRAPH.SLOWLOG
AI.MODELDEL AI.MODELEXECUTE AI.MODELGET AI.MODELRUN AI.MODELSET AI.MODELSTORE AI.SCRIPTDEL AI.SCRIPTEXECUTE AI.SCRIPTGET
AI.SCRIPTRUN AI.SCRIPTSET AI.SCRIPTSTORE AI.TENSORGET AI.TENSORSET CL.THROTTLE`;
const MODULES = `FT.ADD FT.AGGREGATE FT.ALIASADD FT.ALIASDEL FT.ALIASUPDATE FT.ALTER FT.CONFIG FT.CREATE FT.CURSOR FT.DEBUG FT.DEL
FT.DICTADD FT.DICTDEL FT.DICTDUMP FT.DROP FT.DROPINDEX FT.EXPLAIN FT.EXPLAINCLI FT.GET FT.HYBRID FT.INFO FT.MGET FT.PROFILE
FT.SEARCH FT.SPELLCHECK FT.SUGADD FT.SUGDEL FT.SUGGET FT.SUGLEN FT.SYNADD FT.SYNDUMP FT.SYNUPDATE FT.TAGVALS FT._LIST FT._DEBUG
FT._ALIASADDIFNX FT._ALIASDELIFX FT._ALTERIFNX FT._CREATEIFNX FT._DROPIFX FT._DROPINDEXIFX JSON.DEBUG
TS.MGET TS.MRANGE TS.MREVRANGE TS.QUERYINDEX GRAPH.CONFIG GRAPH.DEBUG GRAPH.EFFECT GRAPH.INFO GRAPH.LIST AI.CONFIG AI.DAGEXECUTE
AI.DAGEXECUTE_RO AI.DAGRUN AI.DAGRUN_RO AI.INFO AI._MODELSCAN AI._SCRIPTSCAN
RG.ABORTEXECUTION RG.CONFIGGET RG.CONFIGSET RG.DROPEXECUTION RG.DUMPEXECUTIONS RG.DUMPREGISTRATIONS RG.GETEXECUTION
RG.GETRESULTS RG.GETRESULTSBLOCKING RG.INFOCLUSTER RG.PYDUMPREQS RG.PYEXECUTE RG.PYSTATS RG.REFRESHCLUSTER RG.TRIGGER
RG.UNREGISTER TFCALL TFCALLASYNC TFUNCTION`;

/** Commands whose first word says which; `INFO commandstats` counts each by itself, as `config|get`. */
const CONTAINERS: Readonly<Record<string, string>> = {
  ACL: 'CAT DELUSER DRYRUN GENPASS GETUSER HELP LIST LOAD LOG SAVE SETUSER USERS WHOAMI',
  CLIENT:
    'CACHING CAPA GETNAME GETREDIR HELP ID IMPORT-SOURCE INFO KILL LIST NO-EVICT NO-TOUCH PAUSE REPLY SETINFO SETNAME TRACKING TRACKINGINFO UNBLOCK UNPAUSE',
  CLUSTER:
    'ADDSLOTS ADDSLOTSRANGE BUMPEPOCH CANCELSLOTMIGRATIONS COUNT-FAILURE-REPORTS COUNTKEYSINSLOT DELSLOTS DELSLOTSRANGE FAILOVER FLUSHSLOT FLUSHSLOTS FORGET GETKEYSINSLOT GETSLOTMIGRATIONS HELP INFO KEYSLOT LINKS MEET MIGRATESLOTS MIGRATION MYID MYSHARDID NODES REPLICAS REPLICATE RESET SAVECONFIG SET-CONFIG-EPOCH SETSLOT SHARDS SLAVES SLOT-STATS SLOTS SYNCSLOTS',
  COMMAND: 'COUNT DOCS GETKEYS GETKEYSANDFLAGS HELP INFO LIST',
  COMMANDLOG: 'GET HELP LEN RESET',
  CONFIG: 'GET HELP RESETSTAT REWRITE SET',
  FUNCTION: 'DELETE DUMP FLUSH HELP KILL LIST LOAD RESTORE STATS',
  HOTKEYS: 'GET HELP RESET START STOP',
  LATENCY: 'DOCTOR GRAPH HELP HISTOGRAM HISTORY LATEST RESET',
  MEMORY: 'DOCTOR HELP MALLOC-STATS PURGE STATS USAGE',
  MODULE: 'HELP LIST LOAD LOADEX UNLOAD',
  OBJECT: 'ENCODING FREQ HELP IDLETIME REFCOUNT',
  PUBSUB: 'CHANNELS HELP NUMPAT NUMSUB SHARDCHANNELS SHARDNUMSUB',
  SCRIPT: 'DEBUG EXISTS FLUSH HELP KILL LOAD SHOW',
  SENTINEL:
    'CKQUORUM CONFIG DEBUG FAILOVER FLUSHCONFIG GET-MASTER-ADDR-BY-NAME GET-PRIMARY-ADDR-BY-NAME HELP INFO-CACHE IS-MASTER-DOWN-BY-ADDR IS-PRIMARY-DOWN-BY-ADDR MASTER MASTERS MONITOR MYID PENDING-SCRIPTS PRIMARIES PRIMARY REMOVE REPLICAS RESET SENTINELS SET SIMULATE-FAILURE SLAVES',
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
CLIENT|REPLY HELLO MULTI RESET`),
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

  /** Those that begin so, and are so long where `full` is not -1. */
  likely(bytes: Uint8Array, at: number, length: number, full: number): CommandKind[] {
    const start = Buffer.from(bytes.subarray(at, at + length))
      .toString('latin1')
      .toUpperCase();
    return this.#table.filter((kind) => {
      const name = kind && nameOf(kind);
      return name?.startsWith(start) && (full === -1 || name.length === full);
    }) as CommandKind[];
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

/** All commands of Redis, Valkey and their modules. All other words together are one kind. */
export class Commands {
  readonly kinds: CommandKind[] = [];
  readonly #names = new CommandNames();
  readonly #others: CommandKind;

  constructor() {
    this.#others = this.#kind('(others)', 0, false);
    const places: [string, KeyPlace][] = [
      [AT_1, 1],
      [AT_2, 2],
      [AT_3, 3],
      [MODULES_AT_1, 1],
      [MODULES, 0],
      ['SCAN', 'match'],
      ['XREAD XREADGROUP', 'streams'],
      [NONE, 0],
    ];
    for (const [list, place] of places)
      for (const name of words(list)) this.#names.add(name, this.#kind(name, place, true));
  }

  /** Whether there is a command of this name. */
  isKnown(bytes: Uint8Array, at: number, length: number): boolean {
    return this.#names.find(bytes, at, length)?.known === true;
  }

  kindOf(bytes: Uint8Array, at: number, length: number): CommandKind {
    return this.#names.find(bytes, at, length) ?? this.#others;
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
