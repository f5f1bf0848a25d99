import { MillraceError } from '../runtime/model/errors.ts'
import type { ErrorReport } from '../runtime/model/errors.ts'
import type { Encryption } from '../runtime/model/encryption.ts'
import type {
  AutoscalerPolicy,
  JobReport,
  JobTarget,
  ReportWatch,
  SavepointReport,
  SavepointRequest,
} from '../runtime/control/job-report.ts'

/** Where one job's coordinator listens, and what proves to it that we may write. Never log it. */
export interface JobEndpoint {
  host: string
  port: number
  /** The UID of the job; it names the key of encrypted connections. */
  jobUid: string
  token: string
  encryption: Encryption
}

/** The coordinator answered that it does not do what it was asked, with its own code and words. */
export class CoordinatorRefusal extends MillraceError {
  /** HTTP. */
  readonly status: number
  readonly told: Pick<ErrorReport, 'code' | 'message'>

  constructor(message: string, status: number, told: Pick<ErrorReport, 'code' | 'message'>) {
    super('COORDINATOR_REFUSED', message, {
      domain: 'platform',
      retriable: status >= 500 || status === 401 || status === 409,
    })
    this.name = 'CoordinatorRefusal'
    this.status = status
    this.told = told
  }
}

/**
 * The coordinator as the operator sees it (runtime/control/job-report.ts). Real: real/job-http-client.ts; the
 * simulation calls the coordinator directly. Calls throw MillraceError: COORDINATOR_UNREACHABLE and
 * COORDINATOR_ANSWER_INVALID (both retriable), CoordinatorRefusal otherwise. Every call is safe to repeat.
 */
export interface JobClient {
  report(at: JobEndpoint): Promise<JobReport>
  /** Waits for a report with another digest; undefined when there was none in time. */
  reportUnlike(at: JobEndpoint, known: ReportWatch): Promise<JobReport | undefined>
  putTarget(at: JobEndpoint, target: JobTarget): Promise<JobReport>
  /** What the coordinator is to watch the load for; null: nothing. */
  putAutoscaler(at: JobEndpoint, policy: AutoscalerPolicy | null): Promise<JobReport>
  requestSavepoint(at: JobEndpoint, request: SavepointRequest): Promise<SavepointReport>
  /** Undefined when the coordinator has not heard of this savepoint. */
  savepoint(at: JobEndpoint, id: string): Promise<SavepointReport | undefined>
  /**
   * Deletes a savepoint's files; one that is unknown is gone already. COORDINATOR_REFUSED (retriable) while the job
   * would restore from it.
   */
  deleteSavepoint(at: JobEndpoint, id: string): Promise<void>
}
