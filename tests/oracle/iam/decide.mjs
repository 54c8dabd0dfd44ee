// Decides generated cases with @cloud-copilot/iam-simulate: JSON lines on stdin
// ({id, policies: [{name, document}], boundary?, session?, guarded?, principal?, action, resource, context}), JSON lines on stdout
// ({id, decision, statements} or {id, error}), in the same order as the example `iam_decide`.

import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const DECISIONS = {
  Allowed: 'Allow',
  ExplicitlyDenied: 'ExplicitDeny',
  ImplicitlyDenied: 'ImplicitDeny'
}

// Document order, from 0, as `policy[index]`.
function names(statements) {
  return statements.map((s) => `${s.policyId}[${s.statement.index() - 1}]`)
}

// The resource's policy has one name here. What allows the account decides nothing by itself: the user's own policies do.
function ofResource(analysis) {
  const mine = (s) => ({ ...s, policyId: 'bucket-policy', statement: s.statement })
  return {
    allowStatements: (analysis?.allowStatements ?? []).filter((s) => s.principalMatch !== 'AccountLevelMatch').map(mine),
    denyStatements: (analysis?.denyStatements ?? []).map(mine)
  }
}

async function decide(test) {
  const answer = await runSimulation(
    {
      request: {
        principal: test.principal ?? 'arn:aws:iam::123456789012:user/alice',
        action: test.action,
        resource: { resource: test.resource, accountId: '123456789012' },
        contextVariables: test.context
      },
      identityPolicies: test.policies.map((p) => ({ name: p.name, policy: p.document })),
      permissionBoundaryPolicies: test.boundary
        ? [{ name: test.boundary.name, policy: test.boundary.document }]
        : undefined,
      sessionPolicy: test.session?.document,
      resourcePolicy: test.guarded,
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    { simulationMode: 'Strict' }
  )
  if (answer.resultType === 'error') {
    return { id: test.id, error: JSON.stringify(answer.errors) }
  }
  if (answer.resultType !== 'single') {
    // A '*' in the request's resource: the oracle asks about a set of resources instead.
    return { id: test.id, decision: DECISIONS[answer.overallResult], statements: [] }
  }
  const { analysis, ignoredContextKeys } = answer.result
  if (ignoredContextKeys?.length) {
    return { id: test.id, error: `ignored context keys: ${ignoredContextKeys}` }
  }
  const decision = DECISIONS[answer.overallResult]
  const session = analysis.sessionAnalysis && {
    allowStatements: analysis.sessionAnalysis.allowStatements.map((s) => ({ ...s, policyId: 's' })),
    denyStatements: analysis.sessionAnalysis.denyStatements.map((s) => ({ ...s, policyId: 's' }))
  }
  const kinds = [
    ofResource(analysis.resourceAnalysis),
    analysis.identityAnalysis,
    analysis.permissionBoundaryAnalysis,
    session
  ].filter(Boolean)
  const deciding = {
    Allow: kinds.flatMap((k) => k.allowStatements),
    ExplicitDeny: kinds.flatMap((k) => k.denyStatements)
  }
  return { id: test.id, decision, statements: names(deciding[decision] ?? []).sort() }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue
  const test = JSON.parse(line)
  let answer
  try {
    answer = await decide(test)
  } catch (error) {
    answer = { id: test.id, error: `${error}` }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
