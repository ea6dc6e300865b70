-- All grades of teacher, student and reference, with the text of the query and the title of the document.
with teacher as (
    select
        corpus, query_id, doc_id, 'teacher' as labeler,
        grade, expected_grade, teacher_model as model, rationale, labeled_at
    from teacher_labels
    where status = 'ok'
),

student as (
    select corpus, query_id, doc_id, 'student' as labeler, grade, expected_grade, model_id as model
    from student_labels
),

reference as (
    select
        corpus, query_id, doc_id, 'reference' as labeler,
        grade, kind || ':' || assessor as model
    from reference_labels
),

queries as (
    select corpus, query_id, text as query, intent, split from synthetic_queries
),

documents as (
    select corpus, doc_id, title from seed_docs
),

grades as (
    select * from teacher
    union all by name
    select * from student
    union all by name
    select * from reference
),

final as (
    select
        corpus, labeler, query_id, query, intent, split, doc_id, title,
        grade, expected_grade, model, rationale, labeled_at
    from grades
    left join queries using (corpus, query_id)
    left join documents using (corpus, doc_id)
)

select * from final
