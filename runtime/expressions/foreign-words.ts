/**
 * Words of Flink, Kafka Streams and SQL that stand where ours belong, and what they are called here. Everything that
 * refuses an unknown field, option, verb or function asks here before it looks for a word that is written alike.
 */
const TEXT = {
  coalesce: 'write a ?? b',
  when: 'write condition ? a : b',
  now: 'the time of day would differ after a restore: take a field of the row, or window: { …, time: processing }',
} as const

/** By the name in lower case, without `_`, `-` and dots. */
const FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ...['coalesce', 'ifnull', 'nvl'].map((name) => [name, TEXT.coalesce] as const),
  ...['if', 'iif', 'case'].map((name) => [name, TEXT.when] as const),
  ['nullif', 'write a === b ? null : a'],
  ['greatest', 'write Math.max(…)'],
  ['least', 'write Math.min(…)'],
  ['upper', 'write text.toUpperCase()'],
  ['lower', 'write text.toLowerCase()'],
  ['initcap', 'write `${text.charAt(0).toUpperCase()}${text.slice(1)}`'],
  ...['concat', 'concatws'].map((name) => [name, 'write `${a}${b}`'] as const),
  ['substr', 'write text.slice(from, to)'],
  ...['substring', 'trim'].map((name) => [name, `write text.${name}(…)`] as const),
  ['ltrim', 'write text.trimStart()'],
  ['rtrim', 'write text.trimEnd()'],
  ['lpad', 'write text.padStart(length, fill)'],
  ['rpad', 'write text.padEnd(length, fill)'],
  ['left', 'write text.slice(0, n)'],
  ['right', 'write text.slice(-n)'],
  ['replace', "write text.replaceAll('a', 'b')"],
  ...['position', 'locate', 'instr'].map((name) => [name, 'write text.indexOf(part), which is -1 without it'] as const),
  ['splitindex', "write text.split(',')[n]"],
  ...['length', 'charlength', 'characterlength', 'cardinality'].map((name) => [name, 'write text.length'] as const),
  ...['cast', 'trycast', 'convert'].map(
    (name) => [name, 'write Number(…), String(…), Decimal(…, precision, scale) or Date.parse(…)'] as const,
  ),
  ...['toinstant', 'totimestamp', 'totimestampltz', 'todate', 'unixtimestamp', 'strtodate'].map(
    (name) => [name, "write Date.parse(text) or Date.parse(text, 'yyyy-MM-dd HH:mm:ss', zone)"] as const,
  ),
  ...['dateformat', 'fromunixtime', 'tochar', 'strftime'].map(
    (name) => [name, "write Date.format(at, 'yyyy-MM-dd HH:mm:ss', zone)"] as const,
  ),
  ['extract', 'write Date.year(at), Date.hour(at, zone), …; for a part of a text: text.extract(/…/, 1)'],
  ...['year', 'quarter', 'month', 'hour', 'minute', 'second'].map((name) => [name, `write Date.${name}(at)`] as const),
  ...['day', 'dayofmonth'].map((name) => [name, 'write Date.day(at)'] as const),
  ['dayofweek', 'write Date.dayOfWeek(at), where Monday is 1'],
  ['dayofyear', 'write Date.dayOfYear(at)'],
  ['week', 'write Date.isoWeek(at)'],
  ['trunc', "write Math.trunc(…), or of a time Date.truncate(at, 'day', zone)"],
  ...['datetrunc', 'floorto'].map((name) => [name, "write Date.truncate(at, 'day', zone)"] as const),
  ...['timestampadd', 'dateadd', 'datesub', 'interval'].map(
    (name) => [name, "write Date.add(at, 1, 'day'), or at + 60000"] as const,
  ),
  ...['timestampdiff', 'datediff'].map((name) => [name, "write Date.diff(from, to, 'day')"] as const),
  ['converttz', "write Date.format(at, 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')"],
  ['regexpextract', 'write text.extract(/…/, 1)'],
  ['regexpreplace', "write text.replaceAll(/…/, 'by')"],
  ...['regexp', 'regexplike', 'regexpcontains', 'rlike', 'similar'].map(
    (name) => [name, 'write text.matches(/…/)'] as const,
  ),
  ...['jsonvalue', 'jsonquery', 'getjsonobject'].map(
    (name) => [name, 'write JSON.parse(text).a.b, or make the field json and write field.a.b'] as const,
  ),
  ['jsonobject', 'write { name: value }'],
  ['row', 'write { name: value }'],
  ['isnan', 'ask Number.isFinite(…)'],
  ...['now', 'currenttimestamp', 'localtimestamp', 'proctime', 'currentdate'].map((name) => [name, TEXT.now] as const),
  ...['tumble', 'hop', 'session', 'cumulate'].map(
    (name) =>
      [name, 'a window is no function: window: { tumble: 10s }, { hop: 2s, size: 10s }, { session: 10s }'] as const,
  ),
  ...['tumblestart', 'hopstart', 'sessionstart', 'windowstart'].map(
    (name) => [name, 'it is the field windowStart of what a window puts out'] as const,
  ),
  ...['tumbleend', 'hopend', 'sessionend', 'windowend'].map(
    (name) => [name, 'it is the field windowEnd of what a window puts out'] as const,
  ),
  ['rownumber', 'write topN: { limit, by, rank } or dedupe: { keep: first }'],
  ...['countdistinct', 'approxcountdistinct'].map(
    (name) => [name, `write ${name === 'countdistinct' ? 'countDistinct' : 'approxCountDistinct'}(field)`] as const,
  ),
  ...['firstvalue', 'lastvalue'].map((name) => [name, `write ${name.slice(0, -5)}(field)`] as const),
  ...['listagg', 'collectlist', 'arrayagg', 'stringagg'].map((name) => [name, 'write collect(field)'] as const),
  ...['average', 'mean'].map((name) => [name, 'write avg(field)'] as const),
  ['stddevpop', 'write stddevPop(field)'],
  ['stddevsamp', 'write stddev(field)'],
  ['varpop', 'write variancePop(field)'],
  ['varsamp', 'write variance(field)'],
  ...['maxby', 'minby'].map((name) => [name, `write ${name === 'maxby' ? 'argMax' : 'argMin'}(field, by)`] as const),
])

/** What a word means here: the hint, and the field of ours that must be possible where the word stands. */
interface Meaning {
  readonly ours: string
  readonly hint: string
}

const meaning = (ours: string, hint: string, ...words: string[]): [string, Meaning][] =>
  words.map((word) => [word, { ours, hint }])
const called = (ours: string, ...words: string[]): [string, Meaning][] =>
  meaning(ours, `it is called ${ours}`, ...words)

/** Fields of a spec and its entries, options of connectors, methods of streams. */
const KEYS: readonly [string, Meaning][] = [
  ...meaning(
    'eventTime',
    'the source says it: eventTime: { field: at, outOfOrderness: 4s }',
    ...['watermark', 'watermarks', 'watermarkstrategy', 'assigntimestampsandwatermarks', 'timestampassigner'],
    ...['timestampextractor', 'rowtime', 'timefield', 'timestampfield'],
  ),
  ...called('outOfOrderness', 'watermark', 'boundedoutoforderness', 'maxoutoforderness', 'delay', 'lateness'),
  ...called('idleAfter', 'idleness', 'withidleness', 'idletimeout'),
  ...meaning('align', 'it is called align: { group, maxDrift }', 'watermarkalignment', 'withwatermarkalignment'),
  ...called('replicas', 'parallelism', 'setparallelism', 'numstreamthreads', 'taskslots', 'slots', 'tasks'),
  ...called('maxParallelism', 'setmaxparallelism', 'maxparallelism'),
  ...meaning(
    'hop',
    'write { hop: 2s, size: 10s }: hop is how often a window begins',
    ...['slide', 'sliding', 'advanceby', 'every', 'hopsize'],
  ),
  ...meaning('tumble', 'write { tumble: 10s }', 'tumbling', 'timewindow', 'tumblingwindow'),
  ...meaning('session', 'write { session: 10s }', 'gap', 'sessiongap', 'inactivitygap', 'withgap'),
  ...called('window', 'windowby', 'windowedby', 'windowall', 'timewindow', 'countwindow', 'tumble', 'hop', 'session'),
  ...meaning('tumble', 'write lateness: 10s, beside the window', 'allowedlateness', 'grace', 'graceperiod', 'lateness'),
  ...called('lateness', 'allowedlateness', 'grace', 'graceperiod', 'withgrace'),
  ...meaning(
    'emit',
    'windows put out once, when the watermark passes; emit: { early: 10s } puts out before',
    ...['suppress', 'trigger', 'emitstrategy'],
  ),
  ...called('brokers', 'bootstrapservers', 'kafkabootstrapservers', 'metadatabrokerlist', 'servers', 'broker'),
  ...meaning(
    'brokers',
    'there is none: offsets live in the checkpoints of the job',
    ...['groupid', 'consumergroup', 'propertiesgroupid'],
  ),
  ...called('brokers', 'propertiesbootstrapservers'),
  ...called(
    'startFrom',
    'autooffsetreset',
    'startingoffsets',
    'scanstartupmode',
    'startupmode',
    'offset',
    'offsets',
    'start',
  ),
  ...meaning(
    'delivery',
    'the sink is exactly once, unless delivery: atLeastOnce is written',
    ...['deliveryguarantee', 'processingguarantee', 'semantic', 'sinkdeliveryguarantee'],
  ),
  ...called('keyBy', 'groupby', 'groupbykey', 'partitionby', 'key', 'rekey', 'selectkey'),
  ...called('filter', 'where', 'filternot', 'having'),
  ...called('map', 'select', 'mapvalues', 'project', 'mapto'),
  ...called('set', 'addcolumns', 'withcolumn', 'addorreplacecolumns'),
  ...meaning('flatMap', 'write flatMap: { unnest: field, as, type }', 'flatmapvalues', 'explode', 'unnest'),
  ...called('union', 'merge', 'unionall', 'connect'),
  ...called('sideOutput', 'branch', 'split', 'getsideoutput', 'sideoutputs'),
  ...called('join', 'intervaljoin', 'leftjoin', 'outerjoin', 'cogroup', 'temporaljoin'),
  ...called('asyncMap', 'asyncwait', 'unorderedwait', 'orderedwait', 'asyncio'),
  ...called('process', 'transform', 'transformvalues', 'processvalues', 'keyedprocess', 'processfunction'),
  ...called('dedupe', 'distinct', 'deduplicate', 'dropduplicates'),
  ...called('pattern', 'cep', 'matchrecognize'),
  ...called('ttl', 'statettl', 'retention', 'tableexecstatettl', 'expireafter'),
  ...meaning(
    'checkpoints',
    'it is called checkpoints: { interval: 10s }',
    ...[
      'checkpointinterval',
      'executioncheckpointinginterval',
      'enablecheckpointing',
      'checkpointing',
      'commitintervalms',
    ],
  ),
  ...meaning(
    'checkpoints',
    'it is called checkpoints: { store: … }',
    ...['statecheckpointsdir', 'executioncheckpointingdir', 'checkpointdir', 'statedir', 'savepointdir'],
  ),
  ...meaning('state', 'it is called state: { memory: 2Gi, folder: … }', 'statebackend', 'rocksdb'),
  ...called('source', 'addsource', 'fromsource', 'readstream'),
  ...called('sink', 'addsink', 'sinkto', 'writestream', 'to', 'writeto', 'insertinto', 'print'),
  ...called('schema', 'columns', 'fields'),
]

/** A word may mean several, by where it stands. */
const MEANINGS = Map.groupBy(KEYS, ([word]) => word)

/** What a function of SQL or Flink is here. */
export function foreignFunction(name: string): string | undefined {
  return FUNCTIONS.get(plain(name))
}

/** What a field, an option or a verb of Flink or Kafka Streams is here, where `known` may stand. */
export function foreignKey(name: string, known: readonly string[]): string | undefined {
  return MEANINGS.get(plain(name))?.find(([, { ours }]) => ours !== name && known.includes(ours))?.[1].hint
}

/** Case, hyphens, underlines and dots do not count. */
function plain(name: string): string {
  return name.replace(/[-_.]/g, '').toLowerCase()
}
